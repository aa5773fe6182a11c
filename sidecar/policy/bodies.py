"""Owns how the API server would read a request body, and whether it can spell what is forbidden.

Bodies come as JSON, YAML, protobuf or CBOR. A body passes only on proof that the forbidden strings
are not in it; any occurrence counts, wherever it stands and however often its key is given. It
must not know which strings are forbidden where: guards.py does.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sidecar.policy.protobuf import open_envelope, values_at
from sidecar.policy.verdict import MAX_BODY_BYTES, Denial, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@dataclass(frozen=True, slots=True)
class Forbidden:
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
_DECODER: Final = json.JSONDecoder()


def judge_format(verb: str, body: Body) -> Format | Denial:
    """The body's format, or why it is not looked into."""
    if len(body.content) > MAX_BODY_BYTES:
        return Denial(
            Reason.REQUEST_ENTITY_TOO_LARGE,
            "body/size",
            f"the body holds more than {MAX_BODY_BYTES} bytes: the API server takes no larger one",
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
    mentioned = any(needle in text for needle in forbidden.needles)
    if form is Format.YAML:
        return _find_in_yaml(text, forbidden, mentioned=mentioned)
    # Without an escape, a string can be spelled in one way only.
    if not mentioned and "\\" not in text:
        return Finding.ABSENT
    return _find_in_json(text, forbidden)


def _find_in_json(text: str, forbidden: Forbidden) -> Finding:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return Finding.MALFORMED
    if any(forbidden.matches(literal) for literal in _json_strings(text)):
        return Finding.PRESENT
    return Finding.ABSENT


def _find_in_yaml(text: str, forbidden: Forbidden, *, mentioned: bool) -> Finding:
    """YAML without a YAML parser.

    A JSON text is a YAML text with the same strings. In any other, a scalar is spelled in one way
    only once backslashes (escapes, and line ends that join without a space) and tags (`!!binary`)
    are excluded: folding always leaves a space or a line break between the lines it joins, and an
    alias repeats what its anchor spelled.
    """
    finding = _find_in_json(text, forbidden)
    if finding is not Finding.MALFORMED:
        return finding
    if mentioned or "\\" in text or "!" in text or "\x00" in text or text.startswith("\ufeff"):
        return Finding.UNPROVEN
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


def _json_strings(text: str) -> Iterator[str]:
    """Every string of a valid JSON text, keys too."""
    at = text.find('"')
    while at >= 0:
        value, end = _DECODER.raw_decode(text, at)
        yield value
        at = text.find('"', end)
