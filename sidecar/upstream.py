"""Owns one connection to a cluster: sends a call, checks the answer's framing, relays it.

Must not decide where a call goes nor keep it: connections belong to their member's pool and go
back only after an answer that ended exactly where its head said. Over 400 lines because the states
of one answer (head, interim, 401, body, tunnel, end) share the connection's fields on the hot path.
"""

from __future__ import annotations

import os
import socket
from time import monotonic
from typing import TYPE_CHECKING

from sidecar.chunks import Body, ChunkedBody, EndlessBody, FramingError, LengthBody
from sidecar.exchange import REPLAY_BYTES
from sidecar.grammar import CHUNKED
from sidecar.policy.verdict import Denial, Reason
from sidecar.refusals import CLUSTER_REPLACED
from sidecar.response import UNTIL_CLOSE, ResponseError, ResponseHead, parse_response
from sidecar.stream import NEVER, RECORD, TlsStream
from sidecar.tasks import spawn
from sidecar.watch_frames import watch_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.exchange import Exchange
    from sidecar.member import Member
    from sidecar.objects import Inspection
    from sidecar.reactor import Reactor

MAX_HEAD_BYTES = 65536
_SWITCHES = b"HTTP/1.1 101"
BULK_BYTES = 1 << 20  # a connection that carried more is not pooled: its buffers stay grown


class Upstream(TlsStream):
    """One connection to a cluster."""

    __slots__ = (
        "_answers",
        "_carried",
        "_head",
        "_held",
        "_partial",
        "_settled",
        "body",
        "context",
        "exchange",
        "idle_since",
        "jitter",
        "member",
    )

    def __init__(self, reactor: Reactor, sock: socket.socket, member: Member) -> None:
        super().__init__(
            reactor,
            sock,
            member.context,
            server_side=False,
            server_hostname=member.server_name,
            session=member.session,
        )
        self.member = member
        self.exchange: Exchange | None = None
        self.body: Body | None = None
        self.idle_since = 0.0
        self.context = member.context
        self.jitter = 0.8 + 0.2 * os.urandom(1)[0] / 255  # so that a pool does not end at once
        self._settled: Callable[[Upstream, str], None] | None = None
        self._partial = b""
        self._head: ResponseHead | None = None
        self._held: bytes | None = None  # a 401, while a newer credential is asked for
        self._answers = 0
        self._carried = 0

    def connect(self, settled: Callable[[Upstream, str], None]) -> None:
        """Begin the handshake on a connected socket; `settled` is told what went wrong, or ''."""
        self._settled = settled
        self.member.connections.add(self)
        self.deadline = monotonic() + self.member.limits.handshake_timeout_s
        self.resume_reading()
        self.handshake()

    def on_up(self) -> None:
        self._settle("")

    def _settle(self, problem: str) -> None:
        settled, self._settled = self._settled, None
        if settled is not None:
            settled(self, problem)

    @property
    def resumed(self) -> bool:
        return bool(self._tls.session_reused)

    # -- a call -------------------------------------------------------------------------------

    def stale(self, now: float) -> bool:
        """Closed by the server while nobody looked: after a long sleep, before any event."""
        if now - self.idle_since < 1.0:
            return False
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def start(self, exchange: Exchange) -> None:
        """Send a call; its body may follow."""
        member = self.member
        self.exchange = exchange
        exchange.upstream = self
        exchange.generation = member.generation
        self.deadline = monotonic() + member.limits.response_timeout_s
        self._carried = 0
        self.send(exchange.render(member.suffix))
        if exchange.replay is not None and len(exchange.replay) > REPLAY_BYTES:
            exchange.replay = None

    def send_more(self, data: bytes) -> None:
        """Send a piece of a call's body: the time for the answer begins with the last one."""
        self.send(data)
        if self.body is None:
            self.deadline = monotonic() + self.member.limits.response_timeout_s

    def retire(self) -> None:
        """No further call goes on this connection; nobody waits for what is still to be sent."""
        self.member.forget(self)
        if self.blocked:
            self.abort()
        else:
            self.close()

    def end_tunnel(self) -> None:
        """Both sides have ended: what is still to be sent goes out, in its time."""
        self.exchange = None
        self.close()
        if self.closed:  # else the sweep looks at its deadline
            self.member.forget(self)

    def abandon(self) -> None:
        """The client is gone, or the call is over: nobody reads the rest."""
        self.exchange = None
        self.member.forget(self)
        self.abort()

    def on_data(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # nobody asked
            self.abandon()
        elif self._held is not None:
            self._held += data
            if len(self._held) > MAX_HEAD_BYTES:
                self.pause_reading()
        elif exchange.tunnel:
            exchange.bytes_out += len(data)
            exchange.client.queue(data)
            self.to_flush = exchange.client  # type: ignore[assignment]
        elif self.body is None:
            self._on_head(exchange, data)
        else:
            self._relay(exchange, self.body, data)

    def _on_head(self, exchange: Exchange, data: bytes) -> None:
        if self._partial:
            data = self._partial + data
            self._partial = b""
            if data.find(b"\r\n\r\n") + 4 > MAX_HEAD_BYTES:
                self._bad("its response head is larger than 64 KiB")
                return
        end = data.find(b"\r\n\r\n") + 4
        if end == 3:
            self._partial = data
            if len(data) > MAX_HEAD_BYTES:
                self._bad("its response head is larger than 64 KiB")
            return
        raw = data[:end]
        try:
            head = parse_response(raw, exchange.ident)
        except ResponseError as failure:
            self._bad(str(failure))
            return
        status = head.status
        odd = status < 200 or 300 <= status < 400 or status == 401
        if odd and self._special(exchange, head, raw, data):
            return
        length = head.length
        if exchange.decided.head_only or status == 204 or status == 304:
            length = 0
        if (
            length == len(data) - end
            and not head.dropped
            and exchange.body_done
            and not exchange.close
            and exchange.inspection is None
        ):
            exchange.status = status
            exchange.bytes_out = length
            exchange.client.send(data)
            self._finish(exchange, head.keep_alive)
            return
        self._begin_body(exchange, head, length, raw, data[end:])

    def _begin_body(
        self, exchange: Exchange, head: ResponseHead, length: int, raw: bytes, rest: bytes
    ) -> None:
        client = exchange.client
        if exchange.decided.watch and self.member.retired:
            self._drop(exchange, CLUSTER_REPLACED)
            return
        if not exchange.body_done or length == UNTIL_CLOSE:
            exchange.close = True
        if exchange.decided.watch and head.status == 200 and not head.encoded:
            exchange.frames = watch_frames(head.content_type)
        frames = exchange.frames
        inspection = exchange.inspection
        if (
            inspection is not None
            and length
            and self._inspect(exchange, inspection, head, raw, rest)
        ):
            return
        body: Body
        if length == CHUNKED:
            body = ChunkedBody(frames)
        elif length == UNTIL_CLOSE:
            body = EndlessBody(frames)
        else:
            body = LengthBody(length, frames)
        self.body = exchange.answer = body
        self._head = head
        self.deadline = NEVER
        exchange.status = head.status
        exchange.responding = True
        exchange.replay = None
        client.queue(head.forwarded(raw, b"Connection: close\r\n" if exchange.close else b""))
        self.to_flush = client  # type: ignore[assignment]
        self._relay(exchange, body, rest)

    def _inspect(
        self,
        exchange: Exchange,
        inspection: Inspection,
        head: ResponseHead,
        raw: bytes,
        rest: bytes,
    ) -> bool:
        """Begin an answer whose body is looked into: its head goes out with what may pass.

        False: this one is not, for it holds no objects.
        """
        from sidecar.inspected import InspectedBody, is_inspected  # 5 ms that most pods never need

        if not is_inspected(inspection, head.status):
            return False
        try:
            body = InspectedBody(exchange, inspection, head, raw)
        except FramingError as failure:
            self._bad(str(failure))
            return True
        self.body = exchange.answer = body
        self._head = head
        self.deadline = NEVER
        exchange.status = head.status
        exchange.replay = None
        if inspection.watch:
            exchange.client.send(body.begin())
        self._relay(exchange, body, rest)
        return True

    def _relay(self, exchange: Exchange, body: Body, data: bytes) -> None:
        try:
            forward, surplus = body.feed(data)
        except FramingError as failure:
            self._bad(str(failure))
            return
        if forward:
            size = len(forward)
            exchange.bytes_out += size
            self._carried += size
            exchange.client.queue(forward)
            self.to_flush = exchange.client  # type: ignore[assignment]
        if body.done:
            head = self._head
            sound = head is not None and head.keep_alive and not surplus
            # A cluster that refused an upgrade may have begun it: CVE-2018-1002105.
            self._finish(exchange, sound and not exchange.head.upgrade)
        elif body.timed:
            self.deadline = monotonic() + self.member.limits.body_timeout_s

    def passage(self) -> tuple[TlsStream | None, int]:
        exchange, body = self.exchange, self.body
        if exchange is not None and body is not None and body.unseen > 2 * RECORD:
            client = exchange.client
            if isinstance(client, TlsStream) and not client.closed:
                self.to_flush = client
                if isinstance(body, LengthBody):
                    self.deadline = monotonic() + self.member.limits.body_timeout_s
                return client, body.unseen
        return None, 0

    def on_passed(self, size: int) -> None:
        exchange, body = self.exchange, self.body
        if exchange is not None and body is not None:
            body.skip(size)
            exchange.bytes_out += size
            self._carried += size

    def _finish(self, exchange: Exchange, reusable: bool) -> None:
        now = monotonic()
        self.exchange = None
        self.body = None
        self.to_flush = None  # `complete` does; the next call's client must not be mixed up
        exchange.upstream = None
        self._answers += 1
        if self._answers == 1 and self.member.wants_session(self, now):
            self.member.keep_session(self._tls.session, now)
        usable = reusable and exchange.body_done and not self.blocked and not self.closed
        if usable and self._carried < BULK_BYTES:
            self.member.release(self, now)
        else:
            self.retire()
        exchange.client.complete(exchange, now)

    # -- answers that are not simply passed on --------------------------------------------------

    def _special(self, exchange: Exchange, head: ResponseHead, raw: bytes, data: bytes) -> bool:
        """Deal with 1xx, redirects and 401; False: pass it on after all."""
        rest = data[len(raw) :]
        if head.status == 101:
            self._switch(exchange, head, raw, rest)
        elif head.status < 200:
            self._skip_interim(exchange, head, rest)
        elif head.status == 401:
            if exchange.refreshed:
                return False
            exchange.refreshed = True
            if not exchange.can_replay:  # this call is lost, the next need not be
                spawn(self._renew(exchange.generation), "credential-refresh")
                return False
            self._held = data
            spawn(self._refresh(exchange), "credential-refresh")
        elif head.status == 304:
            return False
        else:
            self._bad(f"it answered with a redirect ({head.status}), which is never followed")
        return True

    def _skip_interim(self, exchange: Exchange, head: ResponseHead, rest: bytes) -> None:
        """Pass on a 100 that was asked for, drop others. A loop: hundreds fit into one record."""
        while True:
            if head.status == 100 and exchange.asked:
                exchange.asked = False
                exchange.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            end = rest.find(b"\r\n\r\n") + 4
            if end == 3 or not rest.startswith(b"HTTP/1.1 1") or rest.startswith(_SWITCHES):
                break
            try:
                head = parse_response(rest[:end], exchange.ident)
            except ResponseError:
                break  # told below
            rest = rest[end:]
        if rest:
            self._on_head(exchange, rest)

    def _switch(self, exchange: Exchange, head: ResponseHead, raw: bytes, rest: bytes) -> None:
        asked = exchange.head.upgrade.lower()
        if not asked or head.upgrade != asked:
            self._bad("it switched protocols without being asked to")
            return
        exchange.status = 101
        exchange.responding = True
        exchange.tunnel = True
        exchange.close = True
        self.deadline = NEVER
        client = exchange.client
        client.queue(head.forwarded(raw, b"Connection: Upgrade\r\nUpgrade: " + asked + b"\r\n"))
        exchange.bytes_out += len(rest)
        if rest:
            client.queue(rest)
        client.flush()
        client.open_tunnel(exchange)

    async def _renew(self, seen_generation: int) -> None:
        await self.member.refresh(seen_generation)

    async def _refresh(self, exchange: Exchange) -> None:
        """Ask for a newer credential after a 401, once; send again, or pass the 401 on."""
        newer = await self.member.refresh(exchange.generation)
        held, self._held = self._held or b"", None
        if self.exchange is not exchange or self.closed:
            return
        if newer:
            self.exchange = None
            exchange.upstream = None
            self.retire()
            self.member.dispatch(exchange)
            return
        self.resume_reading()
        self._on_head(exchange, held)
        if self.to_flush is not None:
            self.to_flush = None
            exchange.client.flush()
        if self.ended and self.exchange is exchange:
            self.abort()
            self.on_lost("closed by the cluster")

    # -- ends ---------------------------------------------------------------------------------

    def on_drain(self) -> None:
        if self.exchange is not None:
            self.exchange.client.resume_reading()

    def on_eof(self) -> None:
        exchange = self.exchange
        if self._held is not None:  # all of the 401 is here, or will be missed
            return
        if exchange is not None and exchange.tunnel:
            exchange.client.tunnel_eof()
            return
        if exchange is not None and isinstance(self.body, EndlessBody) and self.clean_eof:
            self._finish(exchange, reusable=False)
            return
        self.abort()
        self.on_lost("closed by the cluster")

    def on_lost(self, reason: str) -> None:
        self.member.forget(self)
        self._settle(reason)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        exchange.upstream = None
        pooled = self.idle_since > 0
        if exchange.decided.safe and exchange.can_replay and pooled and not exchange.retried:
            exchange.retried = True  # on a new one: others of the pool may be as dead
            self.member.dispatch(exchange, anew=True)
            return
        exchange.fail(
            Reason.BAD_GATEWAY,
            "upstream/broken",
            f"the connection to cluster {self.member.name} broke ({reason}) before it answered; "
            "the call may or may not have been carried out",
        )

    def on_deadline(self) -> None:
        if self.closing:
            self.abort()
            return
        if self.exchange is not None and self.exchange.client.blocked:
            # Not the cluster is slow, its reader is: nothing was read from the cluster meanwhile.
            self.deadline = monotonic() + self.member.limits.body_timeout_s
            return
        if self.exchange is None and self._settled is None:  # idle for long enough
            self.retire()
            return
        exchange, self.exchange = self.exchange, None
        self.member.forget(self)
        self.abort()
        self._settle("the TLS handshake timed out")
        if exchange is not None:
            self.member.note_timeout()
            exchange.fail(
                Reason.TIMEOUT,
                "upstream/timeout",
                f"cluster {self.member.name} did not answer in time; "
                "the call may or may not have been carried out",
            )

    def _bad(self, why: str) -> None:
        """The answer cannot be trusted: nothing more of it is passed on."""
        message = f"the answer of cluster {self.member.name} cannot be passed on: {why}"
        if self.exchange is None:
            self.abandon()
        else:
            refusal = Denial(Reason.BAD_GATEWAY, "upstream/malformed", message)
            self._drop(self.exchange, refusal)

    def _drop(self, exchange: Exchange, refusal: Denial) -> None:
        """Close, and end the call with an answer of ours, or by a cut."""
        self.abandon()
        exchange.fail(refusal.reason, refusal.rule, refusal.message)
