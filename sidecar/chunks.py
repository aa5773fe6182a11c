"""Owns the framing of bodies: where one ends, checked as strictly as a head. Pure.

Must not decode or gather: frames pass through as they came. Only trailers are dropped, because
a field after the body was judged by nobody. Chunk extensions are refused: no client of the API
sends one, and they have hidden a line feed from one parser before another (request smuggling).
"""

import re
from typing import Protocol

from sidecar.grammar import CHUNKED

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_MAX_SIZE_LINE = 17
_MAX_TRAILER = 8192
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")

_AT_SIZE, _IN_DATA, _AFTER_DATA, _IN_TRAILER, _DONE = range(5)


class FramingError(ValueError):
    """The body is not framed as its head said."""


class Listener(Protocol):
    """Sees the payload that passes, for what it must know of it."""

    def feed(self, payload: bytes) -> None: ...


class Body(Protocol):
    """One body's framing: what of the bytes belongs to it, and whether it has ended."""

    done: bool

    @property
    def timed(self) -> bool:
        """It was all there when it began: the rest must come soon."""
        ...

    @property
    def between_chunks(self) -> bool:
        """A chunk of our own may stand here."""
        ...

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Split `data` into what to forward and what comes after the body."""
        ...

    @property
    def unseen(self) -> int:
        """So many bytes from here on may pass without a look at them."""
        ...

    def skip(self, size: int) -> None:
        """So many have passed, at most `unseen`."""


class LengthBody:
    """A body of known length."""

    __slots__ = ("done", "left", "listener")

    timed = True
    between_chunks = False

    def __init__(self, length: int, listener: Listener | None = None) -> None:
        self.left = length
        self.done = length == 0
        self.listener = listener

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        rest = b""
        if len(data) > self.left:
            data, rest = data[: self.left], data[self.left :]
        self.left -= len(data)
        self.done = self.left == 0
        if self.listener is not None:
            self.listener.feed(data)
        return data, rest

    @property
    def unseen(self) -> int:
        return 0 if self.listener is not None else self.left - 1  # `feed` sees the end

    def skip(self, size: int) -> None:
        self.left -= size


class EndlessBody:
    """A body that ends with its connection."""

    __slots__ = ("done", "listener")

    timed = False
    between_chunks = False

    def __init__(self, listener: Listener | None = None) -> None:
        self.done = False
        self.listener = listener

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        if self.listener is not None:
            self.listener.feed(data)
        return data, b""

    @property
    def unseen(self) -> int:
        return 0

    def skip(self, size: int) -> None:
        """Nothing to count."""


class ChunkedBody:
    """A body in chunks. Forwards the frames themselves, up to and without any trailer."""

    __slots__ = ("_held", "_left", "_state", "_trailer_bytes", "done", "listener")

    timed = False

    def __init__(self, listener: Listener | None = None) -> None:
        self._state = _AT_SIZE
        self._left = 0
        self._held = b""  # the begin of a line that the next bytes complete
        self._trailer_bytes = 0
        self.done = False
        self.listener = listener

    @property
    def between_chunks(self) -> bool:
        """Nothing of a chunk is outstanding."""
        return self._state == _AT_SIZE and not self._held

    @property
    def unseen(self) -> int:
        inside = self._state == _IN_DATA and self.listener is None
        return self._left - 1 if inside else 0

    def skip(self, size: int) -> None:
        self._left -= size

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        state = self._state
        if state == _IN_DATA and len(data) < self._left:
            self._left -= len(data)
            if self.listener is not None:
                self.listener.feed(data)
            return data, b""
        if self._held:
            data = self._held + data
            self._held = b""
        at = self._walk(data)
        if self._state != _IN_TRAILER:
            return data[:at], b""
        rest = self._skip_trailer(data, at)
        return (data[:at] + b"\r\n" if self.done else data[:at]), rest

    def _walk(self, data: bytes) -> int:
        """Pass whole frames, hold a line that is not complete; return how far it went."""
        at = 0
        size = len(data)
        state = self._state
        while at < size and state < _IN_TRAILER:
            if state == _IN_DATA:
                end = min(at + self._left, size)
                if self.listener is not None:
                    self.listener.feed(data[at:end])
                self._left -= end - at
                at = end
                if not self._left:
                    state = _AFTER_DATA
            elif state == _AT_SIZE:
                end = data.find(b"\r\n", at, at + _MAX_SIZE_LINE)
                if end < 0:
                    self._hold_size(data[at:])
                    break
                if not _SIZE.fullmatch(data, at, end):
                    raise FramingError("a chunk size is malformed")
                self._left = int(data[at:end], 16)
                at = end + 2
                state = _IN_DATA if self._left else _IN_TRAILER
            else:
                if not data.startswith(b"\r\n", at):
                    if data[at:] != b"\r":
                        raise FramingError("a chunk is longer than its size")
                    self._held = b"\r"
                    break
                at += 2
                state = _AT_SIZE
        self._state = state
        return at

    def _hold_size(self, held: bytes) -> None:
        digits = held[:-1] if held.endswith(b"\r") else held
        if not _SIZE.fullmatch(digits):
            raise FramingError("a chunk size is malformed")
        self._held = held

    def _skip_trailer(self, data: bytes, at: int) -> bytes:
        """Drop trailer lines up to the blank one; what follows it is returned."""
        while (end := data.find(b"\r\n", at)) > at:
            if not _TRAILER.fullmatch(data, at, end):
                raise FramingError("a trailer line is malformed")
            self._count_trailer(end + 2 - at)
            at = end + 2
        if end == at:
            self.done = True
            self._state = _DONE
            return data[end + 2 :]
        self._held = data[at:]
        self._count_trailer(1)
        if len(self._held) > _MAX_TRAILER or b"\n" in self._held:
            raise FramingError("a trailer line is malformed or too long")
        return b""

    def _count_trailer(self, more: int) -> None:
        self._trailer_bytes += more
        if self._trailer_bytes > _MAX_TRAILER:
            raise FramingError("the trailer is too long")


def request_body(length: int, listener: Listener | None = None) -> Body:
    """The framing of a request's body."""
    return ChunkedBody(listener) if length == CHUNKED else LengthBody(length, listener)
