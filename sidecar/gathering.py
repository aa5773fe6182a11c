"""Owns a request's body that is held back until it is judged: its bytes as they came, and what
they say.

Must not judge, and must not hold more than its limit.
"""

from sidecar.chunks import FramingError, request_body
from sidecar.gate import Decided, Known
from sidecar.policy.verdict import Body, Denial
from sidecar.refusals import BODY_TOO_LARGE, bad_body


class Gathering:
    """A body under way."""

    def __init__(self, known: Known, decided: Decided, limit: int, trace: bytes) -> None:
        self.known = known
        self.decided = decided
        self.rest = b""
        self.trace = trace
        self._limit = limit
        # One growing buffer each: a list of pieces would cost 50 bytes for each, and a client
        # can make a piece of every byte.
        self._raw = bytearray()
        self._payload = _Payload()
        self._body = request_body(known.head.length, self._payload)

    @property
    def done(self) -> bool:
        return self._body.done

    @property
    def held(self) -> int:
        """How many bytes are kept of it."""
        return len(self._raw) + len(self._payload.content)

    def feed(self, data: bytes) -> Denial | None:
        """Take bytes; a refusal ends it. What comes after the body is kept in `rest`."""
        try:
            forward, self.rest = self._body.feed(data)
        except FramingError as failure:
            return bad_body(str(failure))
        self._raw += forward
        # Chunks of a byte each are six times what they carry.
        payload_size, raw_size = len(self._payload.content), len(self._raw)
        if payload_size > self._limit or raw_size > 2 * self._limit + 1024:
            return BODY_TOO_LARGE
        return None

    def raw(self) -> bytes:
        """The bytes to forward."""
        return bytes(self._raw)

    def body(self) -> Body:
        """What is to be judged."""
        head = self.known.head
        return Body(head.content_type, bytes(self._payload.content), head.content_encoding)


class _Payload:
    """Gathers what passes a body's framing."""

    def __init__(self) -> None:
        self.content = bytearray()

    def feed(self, payload: bytes) -> None:
        self.content += payload
