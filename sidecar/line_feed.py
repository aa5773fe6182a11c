"""Owns a call of our own whose answer is lines without an end: a watch.

Must not read the lines. One line is held at a time, up to a cap; an answer that is not 200 is
gathered and told whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.chunks import ChunkedBody, FramingError
from sidecar.grammar import CHUNKED
from sidecar.inquiry import OwnCall, Told, read_answer
from sidecar.policy.verdict import Denial, Reason
from sidecar.response import ResponseError, parse_response

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sidecar.exchange import Exchange

_MAX_REFUSAL: Final = 65536


class LineFeed(OwnCall):
    """One such call: `begun` and each line are told as they come, then once the end, and why."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        begun: Callable[[], None],
        tell: Callable[[bytes], None],
        ended: Callable[[Told | Denial | None], None],
        *,
        limit: int,
        timeout_s: float,
    ) -> None:
        super().__init__(loop, ended, timeout_s)
        self._begun = begun
        self._tell = tell
        self._limit = limit
        self._raw = bytearray()  # until it is known to be an answer with lines
        self._body: ChunkedBody | None = None
        self._line = bytearray()
        self._problem: Denial | None = None

    def _leave(self) -> None:
        self._raw = self._line = bytearray()
        super()._leave()

    def _time_out(self) -> None:
        message = f"cluster {self._member} did not end a watch in the time that it was given"
        self._end(Denial(Reason.TIMEOUT, "upstream/timeout", message))

    def _give_up(self, why: str) -> None:
        """Not from within the connection that is just bringing it."""
        self._problem = self._malformed(why)
        self._loop.call_soon(self._end, self._problem)

    def queue(self, data: bytes) -> None:
        if self._exchange is None or self._problem is not None:
            return
        if self._body is not None:
            self._body.feed(data)
            return
        self._raw += data
        end = self._raw.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = parse_response(bytes(self._raw[:end]), self._exchange.ident)
        if head.status != 200:
            if len(self._raw) > _MAX_REFUSAL:
                self._give_up(f"a refusal ({head.status}) is larger than {_MAX_REFUSAL} bytes")
            return
        if head.length != CHUNKED or head.encoded:
            self._give_up("it is no stream of plain lines")
            return
        rest = bytes(self._raw[end:])
        self._raw = bytearray()
        self._body = ChunkedBody(self)
        self._begun()
        self._body.feed(rest)

    def feed(self, payload: bytes) -> None:
        """What is within the chunks."""
        held = self._line
        seen = len(held)
        held += payload
        while self._problem is None and (end := held.find(b"\n", seen)) >= 0:
            if end > self._limit:
                break
            line = bytes(held[:end])
            del held[: end + 1]
            seen = 0
            self._tell(line)
            if self._exchange is None:
                return
        if len(held) > self._limit and self._problem is None:
            self._line = bytearray()
            self._give_up(f"an event is larger than {self._limit} bytes")

    def complete(self, exchange: Exchange, now: float) -> None:
        self._exchange = None
        exchange.over = True
        why: Told | Denial | None = self._problem
        if self._body is None and why is None:
            try:
                why = read_answer(bytes(self._raw), exchange.ident)
            except (ResponseError, FramingError) as failure:
                why = self._malformed(str(failure))
        self._end(why)
