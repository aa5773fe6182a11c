"""Owns one cluster as seen from here: its addresses, TLS context, credential and connections.

Must not judge calls. Idle connections are used last in, first out, so that those not needed
grow old; a TLS session is kept to resume the next one with.
"""

from __future__ import annotations

import ssl
from collections import deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from sidecar.credentials import NoCredential, open_credential
from sidecar.defects import guard
from sidecar.dialer import Dialer, Shortage
from sidecar.health import Health
from sidecar.log import log_event
from sidecar.policy.verdict import Denial, Reason
from sidecar.seats import Seats
from sidecar.stream import describe
from sidecar.watched_file import WatchedFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.config import Limits
    from sidecar.credentials import FileCredential
    from sidecar.exchange import Exchange
    from sidecar.metrics import Metrics
    from sidecar.policy.snapshot import Cluster
    from sidecar.reactor import Reactor
    from sidecar.upstream import Upstream

_MAX_CA_BYTES = 1 << 20
_SESSION_S = 300.0
# Connections being made at once. More calls than these wait for one of them: who asks and leaves
# must not be able to open a connection each.
_MOST_DIALS = 32
_MANY_WAITING = 256


class Member:
    """One cluster and the connections to it."""

    def __init__(
        self,
        cluster: Cluster,
        limits: Limits,
        metrics: Metrics,
        reactor: Reactor,
        containers: int = 1,
        credential: FileCredential | None = None,
    ) -> None:
        self.cluster = cluster
        self.name = cluster.name
        self.limits = limits
        self.server_name = cluster.tls_server_name or cluster.host
        self.session: ssl.SSLSession | None = None
        self.retired = False  # replaced: what is under way ends, nothing else begins
        self.suffix = b""  # holds the credential: never log it
        self.generation = 0
        self.credential = credential or open_credential(
            cluster.credentials, cluster=cluster.name, wait_s=limits.refresh_wait_s
        )
        self.connections: set[Upstream] = set()
        self.seats = Seats(reactor.loop, cluster.limits, containers)
        self.changed: Callable[[], None] = _nobody  # is told when it can, or cannot, be called
        self._idle: list[Upstream] = []
        self._dials = 0
        self._waiting: deque[Exchange] = deque()  # for one of the dials to end
        self._metrics = metrics
        self._session_at = float("-inf")
        host = f"[{cluster.host}]" if ":" in cluster.host else cluster.host
        port = "" if cluster.port == 443 else f":{cluster.port}"
        self._authority = f"{host}{port}".encode("ascii")
        self._dialer = Dialer(self, reactor)
        self._ca_file = WatchedFile(cluster.ca_file, _MAX_CA_BYTES) if cluster.ca_file else None
        self._problem = "its CA certificates were not read yet"
        self._down = ""  # why, while no call is to wait for it
        # What every call is refused with, one look for each of them; and when to try again.
        self._barrier: Denial | None = None
        self._retry_after: int | None = None
        self._usable = False  # what a call needs is there: CA certificates, a credential
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._ca_file is not None:
            self._ca_file.poll(monotonic())
        self.credential.changed = self.adopt_credential
        if isinstance(self.credential, NoCredential):
            self._problem = ""  # no handshake will ever need them
        else:
            self._trust()
        self.adopt_credential()
        self._told_generation = self.generation
        self.health = Health(self, reactor.loop)

    def __repr__(self) -> str:
        return f"Member({self.name})"

    def is_at(self, cluster: Cluster) -> bool:
        """Is that the same server, reached in the same way?"""
        now = self.cluster
        return cluster._replace(labels=now.labels, health=now.health, limits=now.limits) == now

    def adopt(self, cluster: Cluster) -> None:
        """Go on as what a new snapshot says of the same server."""
        self.cluster = cluster
        self.seats.adopt(cluster.limits)
        self.health.adopt(cluster.health)

    # -- calls --------------------------------------------------------------------------------

    def dispatch(self, exchange: Exchange, *, anew: bool = False, trial: bool = False) -> None:
        """Send a call on a pooled connection, or on a new one; `anew`: on a new one.

        `trial`: though the member is down.
        """
        barrier = self._barrier
        if barrier is not None and not (trial and self._usable):
            exchange.fail(barrier.reason, barrier.rule, barrier.message, self._retry_after)
            return
        idle = self._idle
        while idle and not anew:
            connection = idle.pop()
            if connection.closed:
                continue
            if exchange.decided.safe or not connection.stale(exchange.started):
                connection.start(exchange)
                return
            connection.abandon()
        if self._dials < _MOST_DIALS:
            self._dial(exchange)
            return
        self._waiting.append(exchange)
        if len(self._waiting) > _MANY_WAITING:
            self._waiting = deque(waiting for waiting in self._waiting if not waiting.over)

    def release(self, connection: Upstream, now: float) -> None:
        """Take a connection back that has ended its answer exactly where it should."""
        if self.retired or connection.context is not self.context:  # by a CA no longer trusted
            connection.retire()
            return
        connection.idle_since = now
        connection.deadline = now + self.limits.upstream_idle_timeout_s * connection.jitter
        self._idle.append(connection)

    def forget(self, connection: Upstream) -> None:
        """A connection is gone, or must not be used again."""
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def wants_session(self, connection: Upstream, now: float) -> bool:
        """Is it time to copy a session? OpenSSL does that by encoding it: 100 us."""
        return connection.context is self.context and now - self._session_at > _SESSION_S

    def keep_session(self, session: ssl.SSLSession | None, now: float) -> None:
        """A TLS session to resume the next connections with."""
        self.session = session
        self._session_at = now

    async def refresh(self, seen_generation: int) -> bool:
        """After a 401: is there a newer credential than the one that was refused?"""
        newer = await self.credential.refresh(seen_generation)
        if newer and self.generation == seen_generation:
            self.adopt_credential()
        return newer

    def open_spare(self, then: Callable[[Upstream | str], None]) -> None:
        """Open a connection that no call asks for, into the pool; `then` is told how it went."""

        def handed(opened: Upstream | str) -> None:
            if not isinstance(opened, str):
                self._metrics.upstream_opened.value += 1
                self.release(opened, monotonic())
            then(opened)

        self._dialer.dial(handed)

    def note_timeout(self) -> None:
        """A call was not answered in its time."""
        self.health.failed("an answer did not come in time", monotonic())

    def _dial(self, exchange: Exchange) -> None:
        self._dials += 1
        self._dialer.dial(guard(exchange, partial(self._handed, exchange, monotonic())))

    def _dial_next(self) -> None:
        """A dial has ended: who waits tries anew, and finds what is there now."""
        while self._waiting and (self._barrier is not None or self._dials < _MOST_DIALS):
            exchange = self._waiting.popleft()
            if not exchange.over:
                self.dispatch(exchange)

    def _handed(self, exchange: Exchange, since: float, opened: Upstream | str) -> None:
        """A new connection is there, or there is none to be had."""
        self._dials -= 1
        self._settle(exchange, since, opened)
        self._dial_next()

    def _settle(self, exchange: Exchange, since: float, opened: Upstream | str) -> None:
        if isinstance(opened, Shortage):
            exchange.fail(
                Reason.SERVICE_UNAVAILABLE,
                "overload/connections",
                f"the sidecar cannot open a connection to cluster {self.name}: {opened}; "
                "nothing was sent, try again",
                retry_after=1,
            )
            return
        if isinstance(opened, str):
            self.health.failed(opened, since)
            exchange.fail(
                Reason.SERVICE_UNAVAILABLE,
                "upstream/unreachable",
                f"cluster {self.name} ({self.cluster.server}) cannot be reached: {opened}; "
                "nothing was sent",
            )
            return
        self.health.reached()
        self._metrics.upstream_opened.value += 1
        if opened.resumed:
            self._metrics.upstream_resumed.value += 1
        if exchange.over:
            self.release(opened, monotonic())
        else:
            opened.start(exchange)
            exchange.client.resume_reading()

    # -- what bars all calls ----------------------------------------------------------------------

    def bar(self, down: str) -> None:
        """Refuse every call at once, and those that wait for a connection; "" lets them in."""
        self._down = down
        self._raise_barrier()
        if down:
            self._dialer.abandon(down)
            self.seats.dismiss()
            self._dial_next()
            for connection in self.connections:
                if not connection.up:
                    connection.deadline = 0.0

    def _raise_barrier(self) -> None:
        """Decide what calls meet, after anything that it is made of has changed."""
        problem = self._problem or ("" if self.credential.ready else self.credential.problem)
        before = self._barrier
        self._usable = not problem
        self._retry_after = None
        if problem:
            self._retry_after = 1 if self._problem else self.credential.retry_after_s
            yet = " yet" if self._retry_after is not None else ""
            self._barrier = Denial(
                Reason.SERVICE_UNAVAILABLE,
                "upstream/credential",
                f"cluster {self.name} cannot be called{yet}: {problem}",
            )
        elif self._down:
            self._barrier = Denial(
                Reason.SERVICE_UNAVAILABLE,
                "upstream/down",
                f"cluster {self.name} ({self.cluster.server}) is down: {self._down}; "
                "nothing was sent, it is tried again in the background",
            )
        else:
            self._barrier = None
        if (before is None) != (self._barrier is None):
            self.changed()

    @property
    def available(self) -> bool:
        """Calls are let through to it, as far as is known."""
        return self._barrier is None

    # -- trust and credential -------------------------------------------------------------------

    def poll(self, now: float) -> bool:
        """Look for rotated files; True when there is a newer credential."""
        if self._ca_file is not None and self._ca_file.poll(now):
            self._trust()
        if self.credential.poll(now):
            self.adopt_credential()
        if self._barrier is not None:
            self._raise_barrier()
        # A refusal may have brought it between two polls.
        newer = self.generation != self._told_generation
        self._told_generation = self.generation
        return newer

    def _trust(self) -> None:
        """Build the TLS context anew; connections that were verified before are not reused."""
        pem = self.cluster.ca_bundle
        if self._ca_file is not None:
            pem = self._ca_file.content
            if pem is None:
                log_event("error", "ca_unusable", cluster=self.name, reason=self._ca_file.problem)
                self._problem = self._problem and self._ca_file.problem
                self._raise_barrier()
                return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_verify_locations(cadata=(pem or b"").decode("ascii", "replace"))
            if self.credential.ready:
                self.credential.load_into(context)
        except (ssl.SSLError, ValueError, OSError) as failure:
            log_event("error", "ca_unusable", cluster=self.name, reason=describe(failure))
            self._problem = self._problem and f"its CA is no good: {describe(failure)}"
            self._raise_barrier()
            return
        self._problem = ""
        self._raise_barrier()
        self.context = context
        self.session = None
        self._session_at = float("-inf")
        self.close()

    def adopt_credential(self) -> None:
        """Show what the credential is now, to calls and to handshakes."""
        credential = self.credential
        if not credential.ready:
            self.close()  # what is idle may have been opened with one that counts no more
        elif credential.in_handshake and credential.generation != self.generation:
            self._trust()
        header = credential.header()
        line = b"\r\nAuthorization: " + header.reveal() if header is not None else b""
        self.generation = credential.generation
        self._raise_barrier()
        self.suffix = b"\r\nHost: " + self._authority + line + b"\r\nAudit-ID: "
        if self.generation > 1:
            self._metrics.credential_reloads.value += 1

    def sweep(self, now: float) -> None:
        """Find connections that have passed their deadline."""
        for connection in list(self.connections):
            if connection.closed:
                self.connections.discard(connection)
            elif connection.deadline < now:
                connection.on_deadline()

    # -- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Close what is idle; calls under way go on to their end."""
        for connection in list(self._idle):
            connection.retire()

    def retire(self) -> None:
        """Another takes its place: calls under way go on to their end, and no connection stays."""
        self.retired = True
        self.health.stop()
        self.close()

    def close_down(self) -> None:
        """Close everything."""
        self.health.stop()
        for connection in list(self.connections):
            connection.abort()
        self.connections.clear()
        self._idle.clear()


def _nobody() -> None:
    """Nobody wants to be told."""
