"""Owns an answer whose body is looked into: unframed, transformed, framed anew in chunks of ours.

Must not read objects (sidecar.objects does) nor own a connection. The answer's head waits for the
first bytes that may go on, so that an answer that is bad from the start can still be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from sidecar.chunks import Body, ChunkedBody, FramingError, LengthBody
from sidecar.grammar import CHUNKED
from sidecar.objects import TransformError, open_transform
from sidecar.response import UNTIL_CLOSE

if TYPE_CHECKING:
    from sidecar.exchange import Exchange
    from sidecar.objects import Inspection
    from sidecar.response import ResponseHead

_GONE: Final = 410
# What all answers together may hold of objects that have begun and not ended, beside the first of
# each; one cluster's at most two thirds of it. An object may be 3 MiB.
_HELD_BYTES: Final = 12 << 20
_FIRST_BYTES: Final = 65536
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))


def is_inspected(inspection: Inspection, status: int) -> bool:
    """Whether a body of this status holds objects; that of other errors passes untouched.

    The Status of a 410 may hold a continue token, which is the member's own.
    """
    return status < 300 or (status == _GONE and inspection.code is not None)


class InspectedBody:
    """The body of one answer. Raises FramingError for whatever cannot be passed on."""

    __slots__ = (
        "__weakref__",
        "_exchange",
        "_framing",
        "_head",
        "_payload",
        "_transform",
        "done",
        "held",
    )

    between_chunks = True  # they are given out whole
    unseen = 0

    def __init__(
        self, exchange: Exchange, inspection: Inspection, head: ResponseHead, raw: bytes
    ) -> None:
        if head.encoded or head.length == UNTIL_CLOSE:
            error = "its body is compressed, or does not say where it ends"
            raise FramingError(error)
        try:
            self._transform = open_transform(head.content_type, inspection)
        except TransformError as failure:
            raise FramingError(str(failure)) from None
        self._payload = _Payload()
        self._framing: Body = (
            ChunkedBody(self._payload)
            if head.length == CHUNKED
            else LengthBody(head.length, self._payload)
        )
        self._exchange = exchange
        self.done = False
        self.held = 0  # bytes since something passed
        _open.add(self)
        extra = b"Transfer-Encoding: chunked\r\n"
        if exchange.close:
            extra += b"Connection: close\r\n"
        self._head = head._replace(dropped=head.dropped | _FRAMING).forwarded(raw, extra)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes of the cluster's framing; return what goes to the client, the head first."""
        _, surplus = self._framing.feed(data)
        self.done = self._framing.done
        payload = self._payload.take()
        self.held += len(payload)
        if self.held > _FIRST_BYTES and not self._has_room():
            error = "too much is held of objects that this and other clusters do not end"
            raise FramingError(error)
        try:
            passed = self._transform.feed(payload)
            if self.done:
                passed += self._transform.finish()
        except TransformError as failure:
            raise FramingError(str(failure)) from None
        chunks = b"%x\r\n%b\r\n" % (len(passed), passed) if passed else b""
        if passed:
            self.held = 0
        if self.done:
            _open.discard(self)
            chunks += b"0\r\n\r\n"
        if self._head and chunks:
            head = self.begin()
            self._exchange.bytes_out -= len(head)  # bodies are counted, and it goes along with one
            chunks = head + chunks
        return chunks, surplus

    @property
    def member(self) -> str:
        member = self._exchange.decided.member
        return member.name if member is not None else ""

    def _has_room(self) -> bool:
        """A few large objects may be under way at once, not one for each open call."""
        total = own = 0
        for body in _open:
            beyond = body.held - _FIRST_BYTES
            if beyond > 0 and not body._exchange.over:
                total += beyond
                own += beyond if body.member == self.member else 0
        return total <= _HELD_BYTES and own <= 2 * _HELD_BYTES // 3

    def begin(self) -> bytes:
        """The head: from here on the answer has begun. A watch's does not wait for an event."""
        head, self._head = self._head, b""
        self._exchange.responding = True
        return head

    @property
    def timed(self) -> bool:
        return self._framing.timed

    def skip(self, size: int) -> None:
        """Nothing passes unseen."""


_open: WeakSet[InspectedBody] = WeakSet()


class _Payload:
    """What was framed, for as long as one call."""

    __slots__ = ("_content",)

    def __init__(self) -> None:
        self._content = bytearray()

    def feed(self, payload: bytes) -> None:
        self._content += payload

    def take(self) -> bytes:
        content = bytes(self._content)
        self._content.clear()
        return content
