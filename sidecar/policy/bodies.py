"""Owns how the API server would read a request body, and whether it can spell what is forbidden.

Bodies come as JSON, YAML, protobuf or CBOR. A body passes only on proof that the forbidden strings
are not in it; any occurrence counts, wherever it stands and however often its key is given. It
must not know which strings are forbidden where: guards.py does.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.documents import JSON_STRING
from sidecar.policy.protobuf import open_envelope, values_at
from sidecar.policy.verdict import MAX_BODY_BYTES, Denial, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.policy.verdict import Body


class Format(enum.Enum):
    """How the server would decode a body."""

    JSON = "JSON"
    JSON_PATCH = "JSON patch"
    YAML = "YAML"
    PROTOBUF = "protobuf"


class Finding(enum.Enum):
    """Whether a body spells what is forbidden."""

    ABSENT = enum.auto()
    PRESENT = enum.auto()
    # It cannot be read as what it says it is.
    MALFORMED = enum.auto()
    # It could be read, but not by us.
    UNPROVEN = enum.auto()
    # Reading it would hold up everybody else.
    OVERSIZED = enum.auto()


class Forbidden(NamedTuple):
    """Strings that a body must not spell.

    Each of them contains one of `needles`; `matches` tells them from longer text that merely
    mentions one; in protobuf they stand at `paths` of field numbers.
    """

    needles: tuple[str, ...]
    matches: Callable[[str], bool]
    paths: tuple[tuple[int, ...], ...]


# The server compares a patch's type without trimming or folding, and parses the others as a media
# type.
_PATCH_FORMATS: Final = {
    "application/json-patch+json": Format.JSON_PATCH,
    "application/merge-patch+json": Format.JSON,
    "application/strategic-merge-patch+json": Format.JSON,
    "application/apply-patch+yaml": Format.YAML,
}
_OBJECT_FORMATS: Final = {
    "": Format.JSON,
    "application/json": Format.JSON,
    "application/yaml": Format.YAML,
    "application/vnd.kubernetes.protobuf": Format.PROTOBUF,
}
_MAX_PARTS: Final = 50_000
# Half a microsecond a string; no Secret of at most 1 MiB has as many.
_MAX_QUOTES: Final = 400_000
_BATCH: Final = 1024


def judge_format(verb: str, body: Body, limit: int = MAX_BODY_BYTES) -> Format | Denial:
    """The body's format, or why it is not looked into."""
    if len(body.content) > limit:
        return Denial(
            Reason.REQUEST_ENTITY_TOO_LARGE,
            "body/size",
            f"the body holds more than {limit} bytes: send a smaller one",
        )
    if body.content_encoding.strip().lower() not in ("", "identity"):
        return Denial(
            Reason.UNSUPPORTED_MEDIA_TYPE,
            "body/encoding",
            f"a body with Content-Encoding {shown(body.content_encoding)!r} cannot be judged: "
            "send it uncompressed",
        )
    base = body.content_type.partition(";")[0]
    if verb == "patch":
        found = _PATCH_FORMATS.get(base)
        known = _PATCH_FORMATS
    else:
        found = _OBJECT_FORMATS.get(base.strip().lower())
        known = _OBJECT_FORMATS
    if found is None:
        return Denial(
            Reason.UNSUPPORTED_MEDIA_TYPE,
            "body/media-type",
            f"a body of type {shown(base)!r} cannot be judged: "
            f"send one of {', '.join(filter(None, known))}",
        )
    return found


def find_forbidden(form: Format, content: bytes, forbidden: Forbidden) -> Finding:
    """Look for strings that the server would read out of this body."""
    if form is Format.PROTOBUF:
        return _find_in_protobuf(content, forbidden)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return Finding.MALFORMED
    # Without an escape, a string of JSON can be spelled in one way only.
    plain = "\\" not in text and not any(needle in text for needle in forbidden.needles)
    if form is Format.YAML:
        plain = plain and _is_plain_yaml(text)
        if not plain and not _is_json(text):
            return Finding.UNPROVEN
    return Finding.ABSENT if plain else _find_in_json(text, forbidden)


def _is_plain_yaml(text: str) -> bool:
    """Whether YAML without a backslash spells each scalar in one way only.

    Backslashes are escapes, and line ends that join without a space; tags (`!!binary`) are the
    other way to spell. Folding leaves a space or a line break between the lines that it joins, and
    an alias repeats what its anchor spelled.
    """
    return "!" not in text and "\x00" not in text and not text.startswith("\ufeff")


def _is_json(text: str) -> bool:
    """Whether a YAML text is a JSON text, which has the same strings in both languages."""
    # The parser builds what it reads: some 60 bytes for each part.
    if sum(map(text.count, "[{,")) > _MAX_PARTS:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _find_in_json(text: str, forbidden: Forbidden) -> Finding:
    """Judge every string, keys too. A text that is not JSON at all is for the server to refuse."""
    if text.count('"') > _MAX_QUOTES:
        return Finding.OVERSIZED
    literals: list[str] = []
    for match in JSON_STRING.finditer(text):
        literals.append(match[0])
        if len(literals) == _BATCH:
            found = _find_in_literals(literals, forbidden)
            if found is not Finding.ABSENT:
                return found
            literals.clear()
    return _find_in_literals(literals, forbidden)


def _find_in_literals(literals: list[str], forbidden: Forbidden) -> Finding:
    """Many at once: one call of the parser for each would cost three times as much."""
    escaped = [literal for literal in literals if "\\" in literal]
    values = [literal[1:-1] for literal in literals if "\\" not in literal]
    if escaped:
        try:
            values += json.loads(f"[{','.join(escaped)}]")
        except ValueError:
            return Finding.MALFORMED
    joined = "\0".join(values)
    mentioned = any(needle in joined for needle in forbidden.needles)
    if mentioned and any(map(forbidden.matches, values)):
        return Finding.PRESENT
    return Finding.ABSENT


def _find_in_protobuf(content: bytes, forbidden: Forbidden) -> Finding:
    try:
        messages = open_envelope(content)
        values = [value for path in forbidden.paths for value in values_at(messages, path)]
    except ValueError:
        return Finding.MALFORMED
    # Latin-1 maps every byte, and forbidden strings are ASCII.
    if any(forbidden.matches(value.decode("latin-1")) for value in values):
        return Finding.PRESENT
    return Finding.ABSENT
