"""Owns how protobuf answers come in: in pieces, as one message or as a watch's frames. Pure.

Must not judge an object (protobuf_objects does). A list that is only looked at passes item by
item. One whose versions are tagged grows, and its length stands before it: it is held whole, so
it is bounded as an object is; sidecar.head asks for JSON instead wherever a client takes it.
"""

from __future__ import annotations

from struct import pack
from typing import Final

from sidecar.objects.inspection import MAX_OBJECT_BYTES, Expected, Inspection, TransformError
from sidecar.objects.json_stream import EVENTS, TOO_LARGE
from sidecar.objects.protobuf_objects import (
    CONTENT_ENCODING,
    MAGIC,
    RAW,
    TYPE_META,
    TypeMeta,
    pass_envelope,
    pass_list_meta,
    pass_object,
    read_type_meta,
)
from sidecar.objects.wire import (
    BYTES,
    MALFORMED,
    CutError,
    Field,
    fields,
    only,
    read_field,
    write_field,
)

_MAX_HEAD_BYTES: Final = 1024  # an envelope's, before its message and behind it
_EVENT_TYPE: Final = 1
_EVENT_OBJECT: Final = 2
_EXTENSION_RAW: Final = 1


class ProtobufAnswer:
    """One message in its envelope."""

    __slots__ = ("_buffer", "_inspection", "_list")

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._buffer = bytearray()
        self._list: _ListPassage | None = None

    def feed(self, data: bytes) -> bytes:
        buffer = self._buffer
        buffer += data
        if self._list is None and self._inspection.code is None:
            self._list = _open_list(bytes(buffer[:_MAX_HEAD_BYTES]), self._inspection)
        if self._list is not None:
            return self._list.advance(buffer)
        if len(buffer) > MAX_OBJECT_BYTES:
            raise TransformError(TOO_LARGE)
        return b""

    def finish(self) -> bytes:
        if self._list is not None:
            return self._list.finish(bytes(self._buffer))
        return pass_envelope(bytes(self._buffer), self._inspection, Expected.OBJECT_OR_STATUS)


def _open_list(head: bytes, inspection: Inspection) -> _ListPassage | None:
    """The passage of a list, once the begin of its envelope is there."""
    try:
        kind = read_field(head, len(MAGIC), len(head))
        raw = read_field(head, kind[4], len(head))
    except CutError:
        return None
    if not head.startswith(MAGIC) or kind[:2] != (TYPE_META, BYTES) or raw[:2] != (RAW, BYTES):
        return None  # judged at its end
    type_meta = read_type_meta(head, kind[3], kind[4])
    return _ListPassage(type_meta, raw[3], raw[4], inspection) if type_meta.is_list else None


class _ListPassage:
    """A list under way: what is whole of it is judged and passes as it is."""

    __slots__ = ("_at", "_due", "_end", "_inspection", "_items", "_metadata", "_seen")

    def __init__(self, type_meta: TypeMeta, start: int, end: int, inspection: Inspection) -> None:
        self._metadata, self._items = type_meta.list_fields
        self._at = start  # in the buffer: behind the envelope's head, which is known to be sound
        self._end = end
        self._due = 0  # so much must be there before the next item is whole
        self._inspection = inspection
        self._seen: dict[int, Field] = {}

    def advance(self, buffer: bytearray) -> bytes:
        if len(buffer) < self._due:
            return b""
        at = self._at
        message = bytes(buffer)
        size = len(message)
        due = 0
        try:
            while at < self._end:
                field = read_field(message, at, min(size, self._end))
                if field[4] > self._end:
                    raise TransformError(MALFORMED)
                if field[4] - at > MAX_OBJECT_BYTES:
                    raise TransformError(TOO_LARGE)
                if field[4] > size:
                    due = field[4]
                    break
                self._judge(message, field)
                at = field[4]
        except CutError:
            pass
        if at >= self._end and size - at > _MAX_HEAD_BYTES:
            raise TransformError(MALFORMED)
        del buffer[:at]
        self._end -= at
        self._due = max(0, due - at)
        self._at = 0
        return message[:at]

    def _judge(self, message: bytes, field: Field) -> None:
        number, _, _, start, end = field
        if number == self._metadata:
            only(self._seen, field)
            pass_list_meta(message, start, end, self._inspection)
        elif number == self._items:
            only({}, field)
            pass_object(message[start:end], self._inspection, required=True)

    def finish(self, rest: bytes) -> bytes:
        """Behind the message the envelope says no more than that it is not encoded."""
        if self._end > 0:
            raise TransformError(MALFORMED)
        for field in fields(rest, 0, len(rest)):
            encoded = field[0] == CONTENT_ENCODING and field[3] != field[4]
            if field[0] in (TYPE_META, RAW) or encoded:
                raise TransformError(MALFORMED)
        return rest


class ProtobufWatch:
    """A watch: each event behind its length. They are given out whole."""

    __slots__ = ("_buffer", "_inspection")

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bytes:
        buffer = self._buffer
        buffer += data
        out: list[bytes] = []
        at = 0
        while len(buffer) - at >= 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            if size > MAX_OBJECT_BYTES:
                raise TransformError(TOO_LARGE)
            end = at + 4 + size
            if end > len(buffer):
                break
            event = self._pass(bytes(buffer[at + 4 : end]))
            out.append(pack(">I", len(event)))
            out.append(event)
            at = end
        if at:
            del buffer[:at]
        return b"".join(out)

    def finish(self) -> bytes:
        if self._buffer:
            error = "it ends inside an event"
            raise TransformError(error)
        return b""

    def _pass(self, event: bytes) -> bytes:
        found: dict[int, Field] = {}
        for field in fields(event, 0, len(event)):
            only(found, field)
        if found.keys() != {_EVENT_TYPE, _EVENT_OBJECT}:
            raise TransformError(MALFORMED)
        kind = event[found[_EVENT_TYPE][3] : found[_EVENT_TYPE][4]]
        expected = EVENTS.get(kind.decode("latin-1"))
        if expected is None:
            raise TransformError(MALFORMED)
        _, _, begin, start, end = found[_EVENT_OBJECT]
        raw = read_field(event, start, end)
        if raw[:2] != (_EXTENSION_RAW, BYTES) or raw[4] != end:
            raise TransformError(MALFORMED)
        content = event[raw[3] : end]
        passed = pass_envelope(content, self._inspection, expected)
        if passed is content:
            return event
        extension = write_field(_EXTENSION_RAW, passed)
        return b"".join((event[:begin], write_field(_EVENT_OBJECT, extension), event[end:]))
