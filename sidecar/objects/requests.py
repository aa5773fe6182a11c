"""Owns the resourceVersions in request bodies: back to the member's own before they go up. Pure.

Must not decide: a version of another member raises ForeignVersion, a body that cannot be read for
certain ValueError. Only the versions that the API server compares with an object's are looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sidecar.objects.inspection import TransformError
from sidecar.objects.json_text import (
    Found,
    IncompleteError,
    Wanted,
    check_parts,
    locate,
    text_at,
    want,
)
from sidecar.objects.protobuf_objects import open_envelope
from sidecar.objects.wire import fields, only, write_field
from sidecar.policy.bodies import Format, judge_format
from sidecar.policy.verdict import Denial
from sidecar.versions import strip_version

if TYPE_CHECKING:
    from sidecar.objects.wire import Field
    from sidecar.policy.verdict import Body

_VERSION: Final = "resourceVersion"
# Where a version stands in what is sent with a verb: in the object, in an eviction's options for
# the deletion, in those of a deletion.
_OBJECT: Final = (f"metadata.{_VERSION}", f"deleteOptions.preconditions.{_VERSION}")
_OPTIONS: Final = (f"preconditions.{_VERSION}",)
_DELETIONS: Final = frozenset({"delete", "deletecollection"})
# In protobuf: ObjectMeta.resourceVersion; Eviction.deleteOptions.preconditions.resourceVersion.
_OBJECT_PATH: Final = (1, 6)
_OPTIONS_PATH: Final = (2, 2)
_EVICTION_PATH: Final = (2, *_OPTIONS_PATH)

_OPERATION: Final = want("path", f"value.{_VERSION}", f"value.metadata.{_VERSION}")
_MAX_OPERATIONS: Final = 10_000  # what the API server takes
_LIST_SIGN: Final = re.compile(r"[ \t\n\r]*+([\[,\]])[ \t\n\r]*+")
_BLANK: Final = re.compile(r"[ \t\n\r]*+")
_UNREADABLE: Final = "the body cannot be read as what it says it is"
_YAML: Final = "a YAML body that may hold a resourceVersion cannot be read: send it as JSON"


def untag_body(verb: str, body: Body, code: int) -> bytes:
    """The body as the member of this code is to get it."""
    content = body.content
    if not content:
        return content
    form = judge_format(verb, body)
    if isinstance(form, Denial):
        raise ValueError(form.message)  # noqa: TRY004 - the body is at fault, not the caller
    try:
        if form is Format.PROTOBUF:
            return _untag_protobuf(verb, content, code)
        return _untag_text(verb, form, content, code)
    except (IncompleteError, TransformError, UnicodeDecodeError):
        raise ValueError(_UNREADABLE) from None


def _untag_text(verb: str, form: Format, content: bytes, code: int) -> bytes:
    content.decode("utf-8")
    text = content.decode("latin-1")
    if form is Format.YAML and not text.lstrip(" \t\r\n").startswith("{"):
        # Backslashes and tags are the other ways to spell a key.
        if _VERSION in text or "\\" in text or "!" in text:
            raise ValueError(_YAML)
        return content
    check_parts(text)
    if form is Format.JSON_PATCH:
        edits = _find_in_patch(text, code)
    else:
        paths = _OPTIONS if verb in _DELETIONS else _OBJECT
        found: Found = {}
        end = _locate_all(text, _skip_blank(text, 0), want(*paths), found)
        if _skip_blank(text, end) != len(text):
            raise IncompleteError
        edits = [edit for path in paths for edit in _edit(found, path, code)]
    return _splice(text, edits)


def _locate_all(text: str, at: int, wanted: Wanted, found: Found) -> int:
    if not text.startswith("{", at):
        raise IncompleteError
    return locate(text, at, wanted, found)


def _skip_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match is not None else at


def _find_in_patch(text: str, code: int) -> list[tuple[int, int, str]]:
    """The versions in a JSON patch: a list of operations, each with a path and a value."""
    edits: list[tuple[int, int, str]] = []
    sign, at = _list_sign(text, 0)
    if sign != "[":
        raise IncompleteError
    if text.startswith("]", at):
        return edits
    for _ in range(_MAX_OPERATIONS):
        found: Found = {}
        at = _locate_all(text, at, _OPERATION, found)
        path = text_at(found, "path")
        # A JSON pointer: ~1 and ~0 stand for a slash and a tilde, which none of these holds.
        if path == f"/metadata/{_VERSION}":
            edits += _edit(found, "value", code)
        elif path == "/metadata":
            edits += _edit(found, f"value.{_VERSION}", code)
        elif path == "":
            edits += _edit(found, f"value.metadata.{_VERSION}", code)
        sign, at = _list_sign(text, at)
        if sign == "]" and at == len(text):
            return edits
        if sign != ",":
            raise IncompleteError
    raise IncompleteError


def _list_sign(text: str, at: int) -> tuple[str, int]:
    match = _LIST_SIGN.match(text, at)
    if match is None:
        raise IncompleteError
    return match[1], match.end()


def _edit(found: Found, path: str, code: int) -> list[tuple[int, int, str]]:
    version = text_at(found, path)
    if version is None:
        return []
    own = strip_version(version, code)
    return [] if own == version else [(*found[path][1:], f'"{own}"')]


def _splice(text: str, edits: list[tuple[int, int, str]]) -> bytes:
    out = []
    at = 0
    for start, end, value in sorted(edits):
        out += [text[at:start], value]
        at = end
    out.append(text[at:])
    return "".join(out).encode("latin-1")


def _untag_protobuf(verb: str, content: bytes, code: int) -> bytes:
    envelope = open_envelope(content)
    if verb in _DELETIONS:
        path: tuple[int, ...] = _OPTIONS_PATH
    elif envelope.type_meta.kind == b"Eviction":
        path = _EVICTION_PATH
    else:
        path = _OBJECT_PATH
    return envelope.sealed(_untag_message(envelope.message, path, code))


def _untag_message(message: bytes, path: tuple[int, ...], code: int) -> bytes:
    """A message with the version at a path of field numbers untagged."""
    number, *rest = path
    found: dict[int, Field] = {}
    for field in fields(message, 0, len(message)):
        if field[0] == number:
            only(found, field)
    if not found:
        return message
    _, _, begin, start, end = found[number]
    value = message[start:end]
    if rest:
        value = _untag_message(value, tuple(rest), code)
    else:
        value = strip_version(value.decode("latin-1"), code).encode("latin-1")
    return b"".join((message[:begin], write_field(number, value), message[end:]))
