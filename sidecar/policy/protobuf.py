"""Owns a strict walk over protobuf messages: which values stand at a path of field numbers.

It knows no schema and takes no shortcut: whatever the server's decoder and this walk could read
differently (groups, over-long varints, truncated fields) raises ValueError. Every occurrence is
returned, not only the last.
"""

from __future__ import annotations

from typing import Final

_MAX_TAG: Final = 2**32
_VARINT: Final = 0
_BYTES: Final = 2
_FIXED_SIZES: Final = {1: 8, 5: 4}
# Far more than any object has, on all levels together; each costs a microsecond, and meanwhile
# nobody else is served.
_MAX_FIELDS: Final = 50_000
_MAX_VARINT_BYTES: Final = 10

# runtime.Unknown, the envelope of every Kubernetes protobuf body.
_MAGIC: Final = b"k8s\x00"
_UNKNOWN_RAW: Final = 2
_UNKNOWN_CONTENT_ENCODING: Final = 3


def open_envelope(content: bytes) -> list[bytes]:
    """The message inside a Kubernetes protobuf body.

    The server takes the last of several: were an earlier one judged, another would be read.
    """
    if not content.startswith(_MAGIC):
        error = "the body does not begin with k8s\\x00"
        raise ValueError(error)
    envelope = content[len(_MAGIC) :]
    if any(values_at([envelope], (_UNKNOWN_CONTENT_ENCODING,))):
        error = "the body names a content encoding"
        raise ValueError(error)
    messages = values_at([envelope], (_UNKNOWN_RAW,))
    if len(messages) != 1:
        error = "the body does not hold exactly one message"
        raise ValueError(error)
    return messages


def values_at(messages: list[bytes], path: tuple[int, ...]) -> list[bytes]:
    """All length-delimited values at `path`, through every occurrence of each field on the way."""
    left = _MAX_FIELDS
    for number in path:
        values: list[bytes] = []
        for message in messages:
            found, left = _values(message, number, left)
            values += found
        messages = values
    return messages


def _values(message: bytes, wanted: int, left: int) -> tuple[list[bytes], int]:
    """The values of one field, and how many more fields may be looked at."""
    found: list[bytes] = []
    at = 0
    while at < len(message):
        tag, start = _read_varint(message, at)
        # The server's decoder cuts field numbers to 32 bits: a larger tag could alias a small one.
        if not 8 <= tag < _MAX_TAG:
            error = "a field number is out of range"
            raise ValueError(error)
        start, at = _find_content(message, start, tag & 7)
        left -= 1
        if at > len(message) or left < 0:
            error = "a field is cut off, or there are too many"
            raise ValueError(error)
        if tag >> 3 == wanted and tag & 7 == _BYTES:
            found.append(message[start:at])
    return found, left


def _find_content(message: bytes, at: int, wire_type: int) -> tuple[int, int]:
    """Where the content of a field begins and ends."""
    if wire_type == _BYTES:
        length, at = _read_varint(message, at)
        return at, at + length
    if wire_type == _VARINT:
        return at, _read_varint(message, at)[1]
    if wire_type in _FIXED_SIZES:
        return at, at + _FIXED_SIZES[wire_type]
    error = f"wire type {wire_type} is not served"
    raise ValueError(error)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, at + shift + 1
    error = "a number does not end"
    raise ValueError(error)
