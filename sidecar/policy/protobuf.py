"""Owns a strict walk over protobuf messages: which values stand at a path of field numbers.

It knows no schema and takes no shortcut: whatever the server's decoder and this walk could read
differently (groups, over-long varints, truncated fields) raises ValueError. Every occurrence is
returned, not only the last.
"""

from __future__ import annotations

from typing import Final

_MAX_TAG: Final = 2**32
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
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
    for number in path:
        messages = [value for message in messages for value in _values(message, number)]
    return messages


def _values(message: bytes, wanted: int) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        # The server's decoder cuts field numbers to 32 bits: a larger tag could alias a small one.
        if not 8 <= tag < _MAX_TAG:
            error = "a field number is out of range"
            raise ValueError(error)
        wire_type = tag & 7
        start = at
        if wire_type == _VARINT:
            _, at = _read_varint(message, at)
        elif wire_type == _FIXED64:
            at += 8
        elif wire_type == _FIXED32:
            at += 4
        elif wire_type == _BYTES:
            length, start = _read_varint(message, at)
            at = start + length
        else:
            error = f"wire type {wire_type} is not served"
            raise ValueError(error)
        if at > len(message):
            error = "a field is cut off"
            raise ValueError(error)
        if tag >> 3 == wanted and wire_type == _BYTES:
            found.append(message[start:at])
    return found


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
