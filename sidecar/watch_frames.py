"""Owns the event boundaries of a watch, so that one can be ended between two events. Pure.

Must not read events. JSON watches are one object a line; protobuf watches carry each event
behind its length, four bytes, most significant first.
"""


class JsonLines:
    """Knows whether the last byte that passed ended an event."""

    __slots__ = ("at_boundary",)

    def __init__(self) -> None:
        self.at_boundary = True

    def feed(self, payload: bytes) -> None:
        if payload:
            self.at_boundary = payload[-1] == 0x0A


class LengthPrefixed:
    """Counts through length-prefixed events."""

    __slots__ = ("_left", "_prefix")

    def __init__(self) -> None:
        self._left = 0
        self._prefix = b""

    @property
    def at_boundary(self) -> bool:
        return not self._left and not self._prefix

    def feed(self, payload: bytes) -> None:
        at = 0
        size = len(payload)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            need = 4 - len(self._prefix)
            self._prefix += payload[at : at + need]
            at += need
            if len(self._prefix) == 4:
                self._left = int.from_bytes(self._prefix, "big")
                self._prefix = b""


def watch_frames(content_type: bytes) -> JsonLines | LengthPrefixed | None:
    """The tracker for a watch of this content type; None where its framing is unknown."""
    media = content_type.partition(b";")[0].strip()
    if media == b"application/json":
        return JsonLines()
    if media == b"application/vnd.kubernetes.protobuf":
        return LengthPrefixed()
    return None
