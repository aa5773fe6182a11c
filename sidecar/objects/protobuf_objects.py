"""Owns the judging and tagging of protobuf messages: objects, lists, envelopes. Pure.

Must not buffer: it takes whole messages. Field numbers are those of apimachinery's generated.proto;
every kind has its metadata in field 1, every list its items in field 2 (but one, see below).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sidecar.objects.inspection import Expected, Inspection, TransformError
from sidecar.objects.wire import MALFORMED, Field, fields, only, write_field

MAGIC: Final = b"k8s\x00"
# runtime.Unknown
TYPE_META: Final = 1
RAW: Final = 2
CONTENT_ENCODING: Final = 3
# runtime.TypeMeta
_API_VERSION: Final = 1
_KIND: Final = 2
# every object and list
_METADATA: Final = 1
_ITEMS: Final = 2
# meta.v1.ObjectMeta
_NAMESPACE: Final = 3
_OBJECT_VERSION: Final = 6
# meta.v1.ListMeta
_LIST_VERSION: Final = 2
_CONTINUE: Final = 3


class TypeMeta(NamedTuple):
    """What an envelope says it holds."""

    api_version: bytes
    kind: bytes

    @property
    def is_list(self) -> bool:
        return self.kind.endswith(b"List")

    @property
    def is_status(self) -> bool:
        return self.kind == b"Status" and self.api_version == b"v1"

    @property
    def list_fields(self) -> tuple[int, int]:
        """The numbers of a list's metadata and items."""
        odd = self.kind == b"PartialObjectMetadataList"
        if odd and self.api_version == b"meta.k8s.io/v1beta1":
            return _ITEMS, _METADATA
        return _METADATA, _ITEMS


def read_type_meta(message: bytes, start: int, end: int) -> TypeMeta:
    found: dict[int, Field] = {}
    for field in fields(message, start, end):
        if field[0] in (_API_VERSION, _KIND):
            only(found, field)
    return TypeMeta(_content(message, found, _API_VERSION), _content(message, found, _KIND))


class Envelope(NamedTuple):
    """A whole body, or an event's object: runtime.Unknown behind its magic."""

    content: bytes
    type_meta: TypeMeta
    message: bytes
    begin: int  # of the field that holds the message
    end: int

    def sealed(self, message: bytes) -> bytes:
        """The same envelope around another message."""
        if message is self.message:
            return self.content
        field = write_field(RAW, message)
        return b"".join((self.content[: self.begin], field, self.content[self.end :]))


def open_envelope(content: bytes) -> Envelope:
    """Read an envelope that holds exactly one message, as it is."""
    if not content.startswith(MAGIC):
        raise TransformError(MALFORMED)
    found: dict[int, Field] = {}
    for field in fields(content, len(MAGIC), len(content)):
        if field[0] in (TYPE_META, RAW, CONTENT_ENCODING):
            only(found, field)
    if RAW not in found or _content(content, found, CONTENT_ENCODING):
        raise TransformError(MALFORMED)
    type_meta = read_type_meta(content, *found[TYPE_META][3:]) if TYPE_META in found else None
    if type_meta is None or not (type_meta.kind and type_meta.api_version):
        # A client takes what it asked for where none is named: a list could pass for an object.
        error = "it does not name its kind and version"
        raise TransformError(error)
    _, _, begin, start, end = found[RAW]
    return Envelope(content, type_meta, content[start:end], begin, end)


def pass_envelope(content: bytes, inspection: Inspection, expected: Expected) -> bytes:
    """A whole body or an event's object, judged and tagged; the same bytes if nothing was."""
    envelope = open_envelope(content)
    message = _pass_message(envelope.message, envelope.type_meta, inspection, expected)
    return envelope.sealed(message)


def _pass_message(
    message: bytes, type_meta: TypeMeta, inspection: Inspection, expected: Expected
) -> bytes:
    if not (type_meta.is_list or type_meta.is_status):
        return pass_object(message, inspection, required=expected is not Expected.WRAPPER)
    if expected is Expected.OBJECT:
        error = "a list or a Status stands where an object belongs"
        raise TransformError(error)
    if type_meta.is_status:
        return _pass_list(message, (_METADATA, 0), inspection)
    return _pass_list(message, type_meta.list_fields, inspection)


def pass_object(message: bytes, inspection: Inspection, *, required: bool) -> bytes:
    """One object's message; the very same bytes where nothing is to be tagged."""
    found: dict[int, Field] = {}
    for field in fields(message, 0, len(message)):
        if field[0] == _METADATA:
            only(found, field)
    if _METADATA not in found:
        inspection.check(None, required=required)
        return message
    _, _, begin, start, end = found[_METADATA]
    inner: dict[int, Field] = {}
    for field in fields(message, start, end):
        if field[0] in (_NAMESPACE, _OBJECT_VERSION):
            only(inner, field)
    # Go writes empty strings too: a bookmark's namespace is one.
    namespace = _content(message, inner, _NAMESPACE).decode("latin-1") or None
    inspection.check(namespace, required=required)
    version = inner.get(_OBJECT_VERSION)
    if version is None or inspection.code is None:
        return message
    tagged = _tag(message, start, end, {_OBJECT_VERSION: version}, inspection)
    return b"".join((message[:begin], write_field(_METADATA, tagged), message[end:]))


def pass_list_meta(message: bytes, start: int, end: int, inspection: Inspection) -> bytes:
    """A list's metadata, tagged."""
    found: dict[int, Field] = {}
    for field in fields(message, start, end):
        if field[0] in (_LIST_VERSION, _CONTINUE):
            only(found, field)
    return _tag(message, start, end, found, inspection)


def _pass_list(message: bytes, numbers: tuple[int, int], inspection: Inspection) -> bytes:
    metadata, items = numbers
    out: list[bytes] = []
    found: dict[int, Field] = {}
    for field in fields(message, 0, len(message)):
        number, _, begin, start, end = field
        if number == metadata:
            only(found, field)
            out.append(write_field(number, pass_list_meta(message, start, end, inspection)))
        elif number == items:
            only({}, field)
            item = pass_object(message[start:end], inspection, required=True)
            out.append(write_field(number, item))
        else:
            out.append(message[begin:end])
    return message if inspection.code is None else b"".join(out)


def _tag(
    message: bytes, start: int, end: int, found: dict[int, Field], inspection: Inspection
) -> bytes:
    """Metadata with its versions tagged; only a continue token stands in another field."""
    out: list[bytes] = []
    for number, _, begin, inside, after in found.values():
        text = message[inside:after].decode("latin-1")
        tagged = inspection.tagged_continue if number == _CONTINUE else inspection.tagged
        out.append(message[start:begin])
        out.append(write_field(number, tagged(text).encode("latin-1")))
        start = after
    out.append(message[start:end])
    return b"".join(out)


def _content(message: bytes, found: dict[int, Field], number: int) -> bytes:
    field = found.get(number)
    return message[field[3] : field[4]] if field is not None else b""
