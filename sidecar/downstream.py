"""Owns one connection of an application: reads requests, gets them judged, writes answers.

Must not decide and must not parse: sidecar.head, sidecar.gate and sidecar.policy do. Requests
are taken one at a time; what is pipelined waits. Over 400 lines because the fast way of a
request, a memo hit on both its line and its header block, is one function, and every
request would pay for the calls that it is split into.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from sidecar.chunks import Body, FramingError, request_body
from sidecar.defects import guard_stream
from sidecar.exchange import Exchange
from sidecar.head import cut_trace
from sidecar.pending import gather, learn
from sidecar.policy.verdict import Denial, Reason
from sidecar.refusals import (
    HEAD_STALLED,
    LINE_ENDS,
    SHED,
    UPGRADE,
    bad_body,
    head_too_large,
)
from sidecar.status import own_response, status_response
from sidecar.stream import NEVER, TlsStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from sidecar.gate import Decided, Known
    from sidecar.gathering import Gathering
    from sidecar.head import RequestHead
    from sidecar.pending import Asked, Pending
    from sidecar.policy.verdict import Body as JudgedBody
    from sidecar.server import Server

_PIPELINED_BYTES = 65536
_LINGER_S = 2.0


class Client(TlsStream):
    """One connection of an application."""

    __slots__ = (
        "_dribble",
        "_held",
        "_moved_at",
        "_partial",
        "_seat",
        "_unsent",
        "books",
        "exchange",
        "gate",
        "idle_since",
        "pending",
        "server",
    )

    def __init__(self, sock: socket.socket, server: Server) -> None:
        super().__init__(server.reactor, sock, server.context, server_side=True)
        self.server = server
        self.gate = server.gate
        self.books = server.books
        self.exchange: Exchange | None = None
        self.idle_since = monotonic()
        self._partial = b""
        self._dribble = bytearray()  # a head that came in more than two pieces
        # What belongs to the call under way, and is given back when it has ended: a judged body's
        # share of memory, seats.
        self._held: tuple[Callable[[], None], ...] = ()
        self._seat: Callable[[], None] | None = None  # one of them: the seat at a member
        self.pending: Pending | None = None  # a request that is not a call yet
        self._moved_at = 0.0
        self._unsent = 0
        self.deadline = self.idle_since + server.limits.handshake_timeout_s
        self.resume_reading()

    def on_up(self) -> None:
        self.idle_since = monotonic()
        self.deadline = self.idle_since + self.server.limits.idle_timeout_s

    # -- requests -------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        if self.exchange is not None or self.pending is not None:
            self._on_more(data)
            return
        if self._partial:
            data = self._more_of_head(data)
            if not data:
                return
        end = data.find(b"\r\n\r\n") + 4
        if end == 3:
            self._on_partial(data)
            return
        self._partial = b""
        eol = data.find(b"\r\n")
        line = data[:eol]
        block = data[eol:end]
        gate = self.gate
        known = gate.blocks.get(block)
        if known is not None and not known.head.length and not self.server.cautious:
            decided = known.decisions.get(line)
            if decided is not None and decided.direct is not None:
                exchange = Exchange(self, decided, known.head, gate.next_ident())
                self.exchange = exchange
                if len(data) != end:
                    self._partial = data[end:]
                self.deadline = NEVER
                decided.direct.dispatch(exchange)
                return
        self._judge(line, block, data[end:])

    def _on_partial(self, data: bytes) -> None:
        """A head that is not complete: bounded in size and time, and refused once it is bad."""
        limits = self.server.limits
        self.deadline = monotonic() + limits.head_timeout_s
        self._partial = data
        if len(data) > limits.head_bytes:
            self.refuse_early(head_too_large(limits.head_bytes))
        elif data.count(b"\n") != data.count(b"\r\n") or not data[:1].isalpha():
            self.refuse_early(LINE_ENDS)

    def _more_of_head(self, data: bytes) -> bytes:
        """The head once it is complete. No byte is looked at twice: it may come one at a time."""
        head = self._dribble
        if not head:
            head += self._partial
        seen = len(head)
        head += data
        if head.find(b"\r\n\r\n", max(seen - 3, 0)) >= 0:
            whole = bytes(head)
            head.clear()
            return whole
        limit = self.server.limits.head_bytes
        if len(head) > limit:
            self.refuse_early(head_too_large(limit))
        elif data.count(b"\n") != head.count(b"\r\n", seen - 1):
            self.refuse_early(LINE_ENDS)
        return b""

    def _judge(self, line: bytes, block: bytes, rest: bytes) -> None:
        """The full way of a head: whatever is not remembered as it is comes here."""
        gate = self.gate
        limits = self.server.limits
        if len(line) + len(block) > limits.head_bytes:
            self.refuse_early(head_too_large(limits.head_bytes))
            return
        block, trace = cut_trace(block)
        known = gate.blocks.get(block)
        if known is None:
            judged = gate.judge_block(block)
            if isinstance(judged, Denial):
                self.refuse_early(judged)
                return
            known = judged
        decided = known.decisions.get(line)
        if decided is None:
            found = gate.judge_line(known, line)
            if isinstance(found, Denial):
                self.refuse_early(found, known, head_only=line.startswith(b"HEAD "))
                return
            decided = found
        self.admit(known, decided, rest, trace)

    def admit(
        self,
        known: Known,
        decided: Decided,
        rest: bytes,
        trace: bytes,
        asked: Asked = (),
    ) -> None:
        """A head that is sound: shed, refuse, learn more, gather its body, or forward."""
        head = known.head
        if self.server.shedding:
            self.gate.metrics.shed.value += 1
            self.refuse_request(SHED, known, decided, close=True, retry_after=1)
        elif decided.refusal is not None:
            self.refuse_unread(decided.refusal, known, decided, rest)
        elif head.upgrade and not decided.upgrades:
            self.refuse_request(UPGRADE, known, decided, close=True)
        elif decided.scope is not None:
            learn(self, known, decided, rest, trace, asked)
        elif decided.needs is not None:
            gather(self, known, decided, decided.needs, rest, trace)
        else:
            self._forward(known, decided, rest, trace)

    def refuse_unread(
        self,
        refusal: Denial,
        known: Known,
        decided: Decided,
        rest: bytes,
        retry_after: int | None = None,
    ) -> None:
        """Refuse; the connection lives on if the request's body is here already."""
        body = request_body(known.head.length)
        try:
            _, rest = body.feed(rest)
        except FramingError:
            body.done = False
        self.refuse_request(
            refusal, known, decided, close=not body.done, retry_after=retry_after, rest=rest
        )

    def _forward(self, known: Known, decided: Decided, rest: bytes, trace: bytes) -> None:
        head = known.head
        exchange = self._begin(decided, head, trace)
        self.exchange = exchange
        if head.length:
            exchange.body = request_body(head.length)
            exchange.body_done = False
            self._on_request_body(exchange, exchange.body, rest)
            if self.exchange is not exchange:
                return
        else:
            self._partial = rest
        self._dispatch(exchange, decided)

    def _begin(self, decided: Decided, head: RequestHead, trace: bytes) -> Exchange:
        exchange = Exchange(self, decided, head, self.gate.next_ident())
        exchange.trace = trace
        if self.gate.draining:
            exchange.close = True  # and its answer says so
        return exchange

    def _dispatch(
        self, exchange: Exchange, decided: Decided, body: JudgedBody | None = None
    ) -> None:
        self.exchange = exchange
        if exchange.body_done:
            self.deadline = NEVER
        if decided.direct is not None:
            decided.direct.dispatch(exchange)
        elif decided.answer is not None:
            self.answer(exchange, decided.answer.code, decided.answer.content)
        else:
            self.server.executor.carry_out(self, exchange, body)

    def _on_request_body(self, exchange: Exchange, body: Body, data: bytes) -> None:
        try:
            forward, rest = body.feed(data)
        except FramingError as failure:
            self._drop_upstream(exchange)
            refusal = bad_body(str(failure))
            exchange.fail(refusal.reason, refusal.rule, refusal.message)
            return
        if body.done:
            exchange.body = None
            exchange.body_done = True
            self._partial = rest
            self.deadline = NEVER
        else:
            self.deadline = monotonic() + self.server.limits.body_timeout_s
        if forward:
            exchange.take_body(forward)

    def _on_more(self, data: bytes) -> None:
        """Bytes while a call is under way: its body, a tunnel's, or the next request's."""
        exchange = self.exchange
        if exchange is None:
            if self.pending is not None:
                self.pending.on_data(data)
        elif exchange.tunnel:
            exchange.bytes_in += len(data)
            upstream = exchange.upstream
            if upstream is not None:
                upstream.send(data)
                if upstream.blocked:
                    self.pause_reading()
        elif exchange.body is not None:
            if not exchange.responding:
                self._on_request_body(exchange, exchange.body, data)
        else:
            self._partial += data
            if len(self._partial) > _PIPELINED_BYTES:
                self.pause_reading()

    # -- what belongs to a call -------------------------------------------------------------------

    def forward_judged(self, gathering: Gathering, decided: Decided, body: JudgedBody) -> None:
        """Forward a request whose body was held back until it was judged."""
        self._partial = gathering.rest
        exchange = self._begin(decided, gathering.known.head, gathering.trace)
        exchange.asked = False
        exchange.replay = gathering.raw()
        exchange.bytes_in = len(exchange.replay)
        self._dispatch(exchange, decided, body)

    def hold(self, give_back: Callable[[], None]) -> None:
        """What is to be given back when the call has ended."""
        self._held = (*self._held, give_back)

    def take_seat(self, give_back: Callable[[], None]) -> None:
        """A seat at the member that the call goes to."""
        self._seat = give_back
        self.hold(give_back)

    def leave_seat(self) -> None:
        """The call goes to another member."""
        seat, self._seat = self._seat, None
        if seat is not None:
            self._held = tuple(held for held in self._held if held is not seat)
            seat()

    def give_back(self) -> None:
        """The call has ended, or comes to nothing."""
        held, self._held = self._held, ()
        self._seat = None
        for give_back in held:
            give_back()

    def drop_pending(self) -> None:
        """A request that was held back comes to nothing."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.drop()

    # -- answers of our own ---------------------------------------------------------------------

    def refuse_early(
        self, refusal: Denial, known: Known | None = None, *, head_only: bool = False
    ) -> None:
        """Refuse what cannot be a request of ours; its end cannot be trusted, so close."""
        self.drop_pending()
        self.refuse_request(refusal, known, None, close=True, head_only=head_only)

    def refuse_request(
        self,
        refusal: Denial,
        known: Known | None,
        decided: Decided | None,
        *,
        close: bool = False,
        head_only: bool = False,
        retry_after: int | None = None,
        rest: bytes = b"",
    ) -> None:
        """Refuse what is not a call yet; `rest` comes after it."""
        ident = self.gate.next_ident()
        now = monotonic()
        caller = known.caller if known is not None else None
        self.books.account_refusal(ident, refusal, now, decided=decided, caller=caller)
        close = close or (known is not None and known.head.close)
        head_only = head_only or (decided is not None and decided.head_only)
        self._answer(refusal, ident, retry_after, close=close, head_only=head_only, rest=rest)

    def refuse(self, exchange: Exchange, refusal: Denial, retry_after: int | None) -> None:
        """A call that was permitted failed before its answer began."""
        if self.server.executor.fall_back(self, exchange, refusal):
            return
        self._end(exchange)
        self.books.account_failure(exchange, refusal)
        self._answer(
            refusal,
            exchange.ident,
            retry_after,
            close=exchange.close or not exchange.body_done,
            head_only=exchange.decided.head_only,
            rest=self._partial,
        )

    def answer(
        self,
        exchange: Exchange,
        code: int,
        content: bytes,
        content_type: bytes = b"application/json",
        extra: bytes = b"",
    ) -> None:
        """A call that was permitted is answered by us; `extra` are header lines."""
        self._end(exchange)
        exchange.status = code
        exchange.bytes_out = len(content)
        decided = exchange.decided
        self.books.account(exchange, monotonic())
        close = exchange.close or not exchange.body_done or self.gate.draining
        raw = own_response(
            code,
            content,
            exchange.ident,
            decided.rule,
            content_type=content_type,
            close=close,
            extra=extra,
            head_only=decided.head_only,
        )
        self._send_own(raw, self._partial, close=close)

    def _answer(
        self,
        refusal: Denial,
        ident: bytes,
        retry_after: int | None,
        *,
        close: bool,
        head_only: bool,
        rest: bytes,
    ) -> None:
        close = close or self.gate.draining
        raw = status_response(
            refusal, ident, close=close, retry_after=retry_after, head_only=head_only
        )
        self._send_own(raw, rest, close=close)

    def _send_own(self, raw: bytes, rest: bytes, *, close: bool) -> None:
        self.send(raw)
        if close:
            self._linger()
        else:
            self._next(monotonic(), rest)

    # -- the end of a call ----------------------------------------------------------------------

    def complete(self, exchange: Exchange, now: float) -> None:
        """The answer has ended; the connection serves the next request."""
        self._end(exchange)
        self.books.account(exchange, now)
        self.flush()
        if exchange.close or self.gate.draining:
            self._linger()
            return
        if self._partial or self.blocked or not self.reading:
            self._next(now, self._partial)
        else:
            self.idle_since = now
            self.deadline = now + self.server.limits.idle_timeout_s

    def _next(self, now: float, rest: bytes) -> None:
        """Wait for the next request, or take the one that is here; not deeper into the stack."""
        self.idle_since = now
        self.deadline = now + self.server.limits.idle_timeout_s
        self._partial = rest
        if self.blocked:  # one who does not read its answers gets no more of them
            self.pause_reading()
            return
        if rest:
            self.deadline = now + self.server.limits.head_timeout_s
            self.reactor.loop.call_soon(guard_stream(self, self._continue))
        self.resume_reading()

    def _continue(self) -> None:
        """Take what was pipelined, unless the next read has taken it along."""
        rest = self._partial
        if rest and self.exchange is None and self.pending is None and not self.closed:
            self._partial = b""
            self.on_data(rest)

    def cut(self, exchange: Exchange) -> None:
        """An answer broke off: the client must see that it did."""
        self._end(exchange)
        self.books.account(exchange, monotonic(), cut=True)
        self.server.forget(self)
        self.abort()

    def _end(self, exchange: Exchange) -> None:
        self.exchange = None
        exchange.over = True
        if self._held:
            self.give_back()

    def _linger(self) -> None:
        """Close, but let the client read the answer first: bytes unread would make a reset."""
        self._partial = b""
        self._dribble.clear()
        self.discard()
        self.deadline = monotonic() + _LINGER_S

    # -- tunnels --------------------------------------------------------------------------------

    def open_tunnel(self, exchange: Exchange) -> None:
        """From here on bytes pass both ways; what came early goes first."""
        early, self._partial = self._partial, b""
        if early and exchange.upstream is not None:
            exchange.bytes_in += len(early)
            exchange.upstream.send(early)
        self.resume_reading()

    def tunnel_eof(self) -> None:
        """The cluster's side has ended; ours may go on."""
        exchange = self.exchange
        if exchange is None:
            return
        self.flush()
        self.send_eof()
        exchange.eofs += 1
        if exchange.eofs == 2:
            self._close_tunnel(exchange)

    def _close_tunnel(self, exchange: Exchange) -> None:
        upstream, exchange.upstream = exchange.upstream, None
        if upstream is not None:
            upstream.end_tunnel()
        self._end(exchange)
        self.books.account(exchange, monotonic())
        if self.blocked:
            self.close()
        else:
            self.server.forget(self)
            self.abort()

    # -- what happens to the connection ---------------------------------------------------------

    def on_drain(self) -> None:
        self._unsent = 0
        exchange = self.exchange
        if exchange is None:
            if self.pending is None and not self.discarding:
                self._next(monotonic(), self._partial)
        elif exchange.upstream is not None:
            exchange.upstream.resume_reading()

    def on_hangup(self) -> None:
        if self.exchange is None or not self.exchange.tunnel:  # a tunnel's last bytes count
            self.abort()
            self.on_lost("closed by the client")

    def on_eof(self) -> None:
        exchange = self.exchange
        if exchange is not None and exchange.tunnel and exchange.upstream is not None:
            exchange.upstream.send_eof()
            exchange.eofs += 1
            if exchange.eofs == 2:
                self._close_tunnel(exchange)
            return
        self.abort()
        self.on_lost("closed by the client")

    def on_lost(self, reason: str) -> None:
        self.server.forget(self)
        self.drop_pending()
        exchange = self.exchange
        if exchange is None:
            self.give_back()  # what is held already for a call that did not begin
            return
        self._end(exchange)
        self._drop_upstream(exchange)
        exchange.status = exchange.status or 499
        self.books.account(exchange, monotonic(), cut=not exchange.tunnel)

    def on_deadline(self) -> None:
        if self.blocked and (self.closing or self.discarding):
            self.deadline = monotonic() + _LINGER_S  # the last answer is not out yet
        elif self.closing or self.discarding or not self.up:
            self.server.forget(self)
            self.abort()
        else:
            self._on_stalled(self.exchange)

    def _on_stalled(self, exchange: Exchange | None) -> None:
        if exchange is not None and exchange.responding:  # the rest of the body is not waited for
            self.deadline = NEVER
        elif exchange is not None and not self.reading:  # it is the cluster that does not take it
            self.deadline = monotonic() + self.server.limits.body_timeout_s
        elif exchange is not None:
            self._drop_upstream(exchange)
            message = "the request's body stalled"
            exchange.close = True
            exchange.fail(Reason.REQUEST_TIMEOUT, "http/stalled", message)
        elif self.pending is not None:
            self.refuse_early(HEAD_STALLED, self.pending.known)
        elif self._partial:
            self.refuse_early(HEAD_STALLED)
        else:
            self.vanish()

    def check_reader(self, now: float) -> None:
        """Looked at now and then while blocked: end an answer of which nothing is taken."""
        if self.unsent != self._unsent:
            self._unsent = self.unsent
            self._moved_at = now
        elif now - self._moved_at > self.server.limits.body_timeout_s:
            exchange = self.exchange
            if exchange is None:
                self.server.forget(self)
                self.abort()
            elif not exchange.tunnel:  # a person may look at a terminal for as long as they like
                self._drop_upstream(exchange)
                self.cut(exchange)

    @property
    def idle(self) -> bool:
        """Nothing is under way: closing it now disturbs no call."""
        return (
            self.exchange is None
            and self.pending is None
            and not self._partial
            and not self.blocked
            and not self.discarding
            and not self.closing
        )

    def end_stream(self, exchange: Exchange, refusal: Denial) -> None:
        """A watch, log or tunnel must not go on: say why, where it can still be said."""
        if exchange.watching:
            exchange.end_watch(refusal)
            return
        self._drop_upstream(exchange)
        exchange.fail(refusal.reason, refusal.rule, refusal.message)

    def close_down(self) -> None:
        """The process ends: whatever is under way is cut."""
        exchange = self.exchange
        if exchange is not None:
            exchange.status = exchange.status or 499
            self.cut(exchange)
        else:
            self.close()

    def _drop_upstream(self, exchange: Exchange) -> None:
        upstream, exchange.upstream = exchange.upstream, None
        if upstream is not None:
            upstream.abandon()
