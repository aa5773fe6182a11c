"""Owns token requests: which audiences a token may be asked for.

A token is harmless to us only when nothing that we or the API servers accept is among its
audiences. It must not know where the closed audiences come from.
"""

from __future__ import annotations

import json
import re
from typing import Final

from sidecar.policy.bodies import Format
from sidecar.policy.protobuf import open_envelope, values_at
from sidecar.policy.verdict import Denial, Reason, shown

_RULE: Final = "guard/token-request"
_MAX_AUDIENCES: Final = 64
_MAX_AUDIENCE: Final = 1024

# Compiled with the first token request: most pods never make one, and every start would pay.
# The API server's names for itself, with or without a cluster domain.
_API_SERVER_NAME: Final = r"(?:api|kubernetes|kubernetes\.default(?:\.svc(?:\..+)?)?)"
_OURS: Final = r"(?s:mca(?:[-.:/].*)?|(?:.*[./])?mca\.io(?:/.*)?)"


AUDIENCES_UNKNOWN: Final = Denial(
    Reason.FORBIDDEN,
    _RULE,
    "which audiences open the API server is not known here, so no token is requested: "
    "give the sidecar a projected token, whose audience it can read",
)


def plain_audience(audience: str) -> str:
    """An audience in the form in which two are compared here.

    Spellings of one server become equal.
    """
    plain = audience.strip().lower()
    plain = plain.removeprefix("https://").removeprefix("http://")
    host, slash, path = plain.partition("/")
    host = host.removesuffix(":443").rstrip(".")
    return host + (slash + path).rstrip("/")


def judge_token_request(
    form: Format, content: bytes, closed_audiences: frozenset[str]
) -> Denial | None:
    """Refuse a TokenRequest that names no audience, or one that an API server or MCA accepts."""
    try:
        audiences = _read_protobuf(content) if form is Format.PROTOBUF else _read_json(content)
    except (ValueError, RecursionError):
        return Denial(
            Reason.BAD_REQUEST,
            _RULE,
            "the token request cannot be read: "
            "send a TokenRequest as JSON or protobuf, with each key once",
        )
    if not audiences:
        return _refuse(
            "a token request that names no audience asks for a token to the API server",
            "name the audience of the service that will check the token in spec.audiences",
        )
    for audience in audiences:
        if not _is_open(audience, closed_audiences):
            return _refuse(
                f"the audience {shown(audience)!r} opens an API server or MCA itself",
                "name only the audience of the service that will check the token",
            )
    return None


def _refuse(what: str, remedy: str) -> Denial:
    return Denial(Reason.FORBIDDEN, _RULE, f"{what}: {remedy}")


def _is_open(audience: str, closed_audiences: frozenset[str]) -> bool:
    plain = plain_audience(audience)
    host = plain.partition("/")[0].partition(":")[0]
    return not (
        not plain
        or not audience.isprintable()
        or plain in closed_audiences
        or re.fullmatch(_API_SERVER_NAME, host) is not None
        or re.fullmatch(_OURS, plain) is not None
    )


def _read_json(content: bytes) -> list[str]:
    """spec.audiences of a JSON (or JSON-shaped YAML) body.

    ValueError where a reader could see anything else.
    """
    document = json.loads(content.decode("utf-8"), object_pairs_hook=_unambiguous)
    spec = _member(document, "spec")
    audiences = _member(spec, "audiences")
    if audiences is None:
        return []
    if not isinstance(audiences, list) or len(audiences) > _MAX_AUDIENCES:
        message = "audiences is not a short list"
        raise ValueError(message)
    for audience in audiences:
        if not isinstance(audience, str) or len(audience) > _MAX_AUDIENCE:
            message = "an audience is not a short string"
            raise ValueError(message)
    return audiences


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose keys differ in more than case, and of which none is a YAML merge key."""
    folded = {key.casefold() for key, _ in pairs}
    if len(folded) != len(pairs) or "<<" in folded:
        message = "keys repeat"
        raise ValueError(message)
    return dict(pairs)


def _member(document: object, key: str) -> object:
    if document is None:
        return None
    if not isinstance(document, dict):
        message = "not an object"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    for other in document:
        if other != key and other.casefold() == key:
            message = f"{key} is spelled otherwise"
            raise ValueError(message)
    return document.get(key)


def _read_protobuf(content: bytes) -> list[str]:
    """TokenRequest.spec.audiences."""
    return [value.decode("utf-8") for value in values_at(open_envelope(content), (2, 1))]
