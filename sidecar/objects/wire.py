"""Owns a strict walk over a protobuf message with the places of its fields, and writing. Pure.

Must not know a schema. What the server's decoder and this walk could read differently (groups,
over-long numbers, cut fields) is refused. sidecar.policy.protobuf gathers values from messages;
this tells where they stand, so that one can be replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.objects.inspection import TransformError

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES: Final = 2
_VARINT: Final = 0
_FIXED: Final = {1: 8, 5: 4}
_MAX_TAG: Final = 2**32  # Go cuts field numbers to 32 bits: a larger tag could alias a small one
_MAX_BYTES: Final = 10
# More than any object has on one level; each costs a microsecond.
_MAX_FIELDS: Final = 50_000
MALFORMED: Final = "it is no protobuf as the API server writes it"

# number, wire type, where the field begins, where its content does, where both end
Field = tuple[int, int, int, int, int]


class CutError(TransformError):
    """The message ends inside a field: the rest may be still to come."""

    def __init__(self) -> None:
        super().__init__(MALFORMED)


def read_varint(message: bytes | bytearray, at: int, end: int) -> tuple[int, int]:
    """The number that begins here, and where it ends."""
    value = shift = 0
    for place in range(at, min(end, at + _MAX_BYTES)):
        byte = message[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                raise TransformError(MALFORMED)
            return value, place + 1
        shift += 7
    if end - at >= _MAX_BYTES:
        raise TransformError(MALFORMED)
    raise CutError


def read_field(message: bytes | bytearray, begin: int, end: int) -> Field:
    """The field that begins here. Its content may reach beyond `end`: the caller looks."""
    tag, at = read_varint(message, begin, end)
    if not 8 <= tag < _MAX_TAG:
        raise TransformError(MALFORMED)
    wire_type = tag & 7
    if wire_type == BYTES:
        length, at = read_varint(message, at, end)
        return tag >> 3, BYTES, begin, at, at + length
    if wire_type == _VARINT:
        return tag >> 3, _VARINT, begin, at, read_varint(message, at, end)[1]
    if wire_type not in _FIXED:
        raise TransformError(MALFORMED)
    return tag >> 3, wire_type, begin, at, at + _FIXED[wire_type]


def fields(message: bytes, at: int, end: int) -> Iterator[Field]:
    """All fields between two places of a message."""
    for _ in range(_MAX_FIELDS):
        if at >= end:
            return
        field = read_field(message, at, end)
        at = field[4]
        if at > end:
            raise CutError
        yield field
    error = "an object in it has too many fields"
    raise TransformError(error)


def only(found: dict[int, Field], field: Field) -> None:
    """Keep a length-delimited field that must not come twice: a decoder would merge them."""
    if field[1] != BYTES or field[0] in found:
        raise TransformError(MALFORMED)
    found[field[0]] = field


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_field(number: int, content: bytes) -> bytes:
    """A length-delimited field, number at most 15."""
    return bytes((number << 3 | BYTES,)) + varint(len(content)) + content
