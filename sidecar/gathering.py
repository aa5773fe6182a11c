"""Owns a request's body that is held back until it is judged: its bytes as they came, and what
they say.

Must not judge, and must not hold more than its limit.
"""

from sidecar.chunks import FramingError, request_body
from sidecar.gate import Decided, Known
from sidecar.policy.verdict import Body, Denial
from sidecar.refusals import BODY_TOO_LARGE, bad_body


class Gathering:
    """A body under way. `reserved` bytes of the sidecar's memory are set aside for it."""

    def __init__(
        self, known: Known, decided: Decided, limit: int, reserved: int, trace: bytes
    ) -> None:
        self.known = known
        self.decided = decided
        self.rest = b""
        self.reserved = reserved
        self.trace = trace
        self._limit = limit
        self._raw: list[bytes] = []
        self._raw_size = 0
        self._payload = _Payload()
        self._body = request_body(known.head.length, self._payload)

    @property
    def done(self) -> bool:
        return self._body.done

    def feed(self, data: bytes) -> Denial | None:
        """Take bytes; a refusal ends it. What comes after the body is kept in `rest`."""
        try:
            forward, self.rest = self._body.feed(data)
        except FramingError as failure:
            return bad_body(str(failure))
        self._raw.append(forward)
        self._raw_size += len(forward)
        # Chunks of a byte each are six times what they carry.
        if self._payload.size > self._limit or self._raw_size > 2 * self._limit + 1024:
            return BODY_TOO_LARGE
        return None

    def raw(self) -> bytes:
        """The bytes to forward."""
        return b"".join(self._raw)

    def body(self) -> Body:
        """What is to be judged."""
        head = self.known.head
        return Body(head.content_type, b"".join(self._payload.pieces), head.content_encoding)


class _Payload:
    """Gathers what passes a body's framing."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def feed(self, payload: bytes) -> None:
        self.pieces.append(payload)
        self.size += len(payload)
