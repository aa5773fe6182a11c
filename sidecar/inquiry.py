"""Owns calls of our own to a cluster: sent as any other call; here with an answer that is gathered.

Each is an exchange's sink, so that pools, credentials, deadlines and framing are those of every
call. Must not decide what is asked nor read what comes: whoever asks is told once, of the whole
answer or of why there is none. Answers without an end are sidecar.line_feed's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.chunks import ChunkedBody, FramingError
from sidecar.exchange import Exchange
from sidecar.gate import Decided
from sidecar.grammar import CHUNKED
from sidecar.head import RequestHead, parse_head
from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.verdict import Caller, Denial, Reason
from sidecar.response import ResponseError, ResponseHead, parse_response

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from sidecar.member import Member

MAX_BYTES: Final = 8 << 20  # aggregated discovery and OpenAPI of a large cluster are 2 to 5 MB
TIMEOUT_S: Final = 10.0
_PATH: Final = re.compile(r"/[!-\"$-~]*")
_MAX_HEAD: Final = 65536 + 4
_HOST: Final = b"inquiry"
OURSELVES: Final = Caller("mca", "", "", "")


class Question(NamedTuple):
    """What is asked: a request line, the header block that goes with it, and a body."""

    line: bytes
    head: RequestHead
    body: bytes = b""


class Told(NamedTuple):
    """A whole answer; the content is out of its chunks."""

    status: int
    content_type: bytes  # as it was spelled
    content: bytes
    etag: bytes = b""
    retry_after: bytes = b""


def question(path: str, *fields: bytes, method: str = "GET") -> Question:
    """A question of our own; `fields` are header lines. A path that could be read as more than one
    is a defect, and nothing is asked."""
    if _PATH.fullmatch(path) is None:
        raise ValueError("the path of a question is not one")
    lines = (b"", b"Host: " + _HOST, b"Authorization: Bearer none", *fields, b"", b"")
    head = parse_head(b"\r\n".join(lines), frozenset((_HOST,)))
    if isinstance(head, Denial):
        raise ValueError(head.message)  # noqa: TRY004 - a value of ours that is no request
    return Question(f"{method} {path} HTTP/1.1".encode("ascii"), head)


class OwnCall:
    """One under way to one member, until its end is told. A subclass takes the answer's bytes."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, then: Callable[[Any], None], timeout_s: float
    ) -> None:
        self.blocked = False
        self._loop = loop
        self._then: Callable[[Any], None] | None = then
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._exchange: Exchange | None = None
        self._member = ""

    def send_to(
        self, member: Member, asked: Question, ident: bytes, *, trial: bool = False
    ) -> None:
        """Ask; the end may come before this returns. `trial`: even one that is down."""
        self._member = member.name
        method = asked.line.partition(b" ")[0].decode("ascii")
        decided = Decided(asked.line, RequestInfo(False, "", method.lower()), OURSELVES)
        exchange = self._exchange = Exchange(self, decided, asked.head, ident)
        exchange.replay = asked.body
        self._timer = self._loop.call_later(self._timeout_s, self._time_out)
        member.dispatch(exchange, trial=trial)

    def cancel(self) -> None:
        """Nobody wants more of it."""
        self._then = None
        self._leave()

    def _end(self, why: Told | Denial | None) -> None:
        then, self._then = self._then, None
        self._leave()
        if then is not None:
            then(why)

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.over = True
        upstream, exchange.upstream = exchange.upstream, None
        if upstream is not None:
            upstream.abandon()

    def _time_out(self) -> None:
        message = f"cluster {self._member} did not answer within {self._timeout_s:g} s"
        self._end(Denial(Reason.TIMEOUT, "upstream/timeout", message))

    def _malformed(self, why: str) -> Denial:
        message = f"the answer of cluster {self._member} cannot be used: {why}"
        return Denial(Reason.BAD_GATEWAY, "upstream/malformed", message)

    # -- as the sink of its exchange --------------------------------------------------------------

    if TYPE_CHECKING:

        def queue(self, data: bytes) -> None: ...
        def complete(self, exchange: Exchange, now: float) -> None: ...

    def send(self, data: bytes) -> None:
        self.queue(data)

    def flush(self) -> None:
        """Nothing waits to be sent."""

    def pause_reading(self) -> None:
        """The question is whole: nothing is read."""

    def resume_reading(self) -> None:
        """The question is whole: nothing is read."""

    def cut(self, exchange: Exchange) -> None:
        self.refuse(exchange, self._malformed("it broke off"), None)

    def refuse(self, exchange: Exchange, refusal: Denial, retry_after: int | None) -> None:
        self._exchange = None
        exchange.over = True
        self._end(refusal)

    def open_tunnel(self, exchange: Exchange) -> None:
        raise AssertionError("nobody asked for a tunnel")

    def tunnel_eof(self) -> None:
        raise AssertionError("nobody asked for a tunnel")


class Inquiry(OwnCall):
    """One whose answer is told whole."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        then: Callable[[Told | Denial], None],
        *,
        limit: int = MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__(loop, then, timeout_s)
        self._limit = limit
        self._raw = bytearray()

    def _too_large(self) -> Denial:
        return self._malformed(f"it is larger than {self._limit} bytes")

    def queue(self, data: bytes) -> None:
        if self._exchange is None or len(self._raw) > self._limit + _MAX_HEAD:
            return
        self._raw += data
        if len(self._raw) > self._limit + _MAX_HEAD:
            # Not from within the connection that is just bringing it.
            self._loop.call_soon(self._end, self._too_large())

    def complete(self, exchange: Exchange, now: float) -> None:
        self._exchange = None
        exchange.over = True
        if len(self._raw) > self._limit + _MAX_HEAD:
            self._end(self._too_large())
            return
        try:
            told: Told | Denial = read_answer(bytes(self._raw), exchange.ident)
        except (ResponseError, FramingError) as failure:
            told = self._malformed(str(failure))
        self._end(told)


def read_answer(raw: bytes, ident: bytes) -> Told:
    """An answer out of its frames, which were checked when it came."""
    end = raw.find(b"\r\n\r\n") + 4
    head: ResponseHead = parse_response(raw[:end], ident)
    if head.encoded:
        raise ResponseError("it is compressed, which nobody asked for")
    content = raw[end:]
    if head.length == CHUNKED:
        payload = _Payload()
        ChunkedBody(payload).feed(content)
        content = bytes(payload.content)
    fields = (line.partition(b":") for line in raw[:end].split(b"\r\n"))
    spelled = {name.lower(): value.strip(b" \t") for name, _, value in fields}
    kind, etag, later = map(spelled.get, (b"content-type", b"etag", b"retry-after"))
    return Told(head.status, kind or b"", content, etag or b"", later or b"")


class _Payload:
    """Gathers what passes a body's framing."""

    def __init__(self) -> None:
        self.content = bytearray()

    def feed(self, payload: bytes) -> None:
        self.content += payload
