"""Owns the running sidecar: its parts, its clocks, and how it comes up and goes down.

Must not do what its parts do: it builds them from the settings, ticks them, swaps the policy
when the snapshot or a credential changes, and drains.
"""

from __future__ import annotations

import gc
import ssl
import time
from typing import TYPE_CHECKING

from sidecar import log
from sidecar.admin import Admin, AdminConnection
from sidecar.adoption import Adoption
from sidecar.audit import AuditLog
from sidecar.books import Books
from sidecar.budget import Budget
from sidecar.defects import on_loop_failure
from sidecar.downstream import Client
from sidecar.executor import Executor
from sidecar.failover import Failover
from sidecar.gate import Gate
from sidecar.gauges import add_gauges
from sidecar.kinds import Kinds
from sidecar.limits import Limiter
from sidecar.listener import Listener
from sidecar.log import log_event
from sidecar.metrics import Metrics
from sidecar.pressure import Pressure, trim_memory
from sidecar.readmission import Readmission
from sidecar.snapshot_file import SnapshotFile, own_namespace
from sidecar.stream import ReadSize
from sidecar.tasks import cancel_all
from sidecar.tokens import open_callers

if TYPE_CHECKING:
    import asyncio
    import socket

    from sidecar.config import Settings
    from sidecar.identity import Identity
    from sidecar.reactor import Reactor

_TICK_S = 0.2
_SLOW_TICKS = 5  # files and deadlines are looked at once a second
_SETTLED_S = 2.0
_QUIET_S = 1.0  # without a connection for so long, the application is taken for gone
_TRIM_AFTER = 200
_ACCEPTS_PER_MEASURE = 16
_ANY_PORT_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


class Server:
    """One sidecar at work."""

    def __init__(
        self, settings: Settings, identity: Identity, source: SnapshotFile, reactor: Reactor
    ) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.reactor = reactor
        self.loop = reactor.loop
        self.metrics = Metrics()
        self.audit = AuditLog(log.stdout)
        self.context = _server_context(identity)
        self.source = source
        self.pressure = Pressure(settings.limits.max_connections)
        self.clients: set[Client] = set()
        self.shedding = False
        self.cautious = False  # shedding or draining: no call takes the short cut of the memos
        namespace = own_namespace(settings, source.snapshot)
        callers = open_callers(settings, identity.seed, namespace)
        self.books = Books(self.metrics, self.audit)
        self.limiter = Limiter()
        self.budget = Budget(len(settings.containers))
        self.gate = Gate(_host_names(settings), callers, self.books, self.limiter)
        self.kinds = Kinds(self.loop, self.gate)
        self.failover = Failover(self.gate)
        self.executor = Executor(self.loop, self.gate, self.failover, self.limiter)
        self.readmission = Readmission(self.loop, self.gate, self.kinds, self.failover)
        self.kinds.changed = lambda: self.readmission.review(self.clients)
        self.adoption = Adoption(self)
        self._listeners: list[Listener] = []
        self._admin_servers: list[asyncio.Server] = []
        self._ticks = 0
        self._accepted = 0
        self._closed = 0
        self._draining_since = 0.0
        self._last_seen = 0.0
        self.stopped: asyncio.Future[None] = self.loop.create_future()
        add_gauges(self)
        self.adoption.begin()

    # -- coming up ------------------------------------------------------------------------------

    async def serve(self, api: list[socket.socket], admin: list[socket.socket]) -> None:
        """Serve on these sockets until stopped."""
        front = Admin(
            problem=self.problem, metrics=self.metrics.render, public=self.settings.metrics_public
        )
        self.loop.set_exception_handler(on_loop_failure)
        self._listeners = [Listener(self.loop, sock, self._take) for sock in api]
        for sock in admin:
            server = await self.loop.create_server(lambda: AdminConnection(front), sock=sock)
            self._admin_servers.append(server)
        self.loop.call_later(_TICK_S, self._tick)
        self.loop.call_later(_SETTLED_S, _freeze)
        log_event(
            "info",
            "ready" if not self.problem() else "started",
            api=[_name(sock) for sock in api],
            admin=[_name(sock) for sock in admin],
            problem=self.problem() or None,
        )
        await self.stopped
        self._shut()

    def problem(self) -> str:
        """Why the sidecar is not ready; empty when it is. Never an upstream's fault."""
        if self.gate.draining:
            return "draining"
        if self.source.snapshot is None:
            return "no usable snapshot: the log says what is wrong with it"
        return ""

    # -- connections ------------------------------------------------------------------------------

    def _take(self, sock: socket.socket) -> None:
        self._accepted += 1
        self._last_seen = time.monotonic()
        if self._accepted % _ACCEPTS_PER_MEASURE == 0:
            self._relieve()
        if self.pressure.full(len(self.clients)):
            self.metrics.shed.value += 1
            sock.close()
            return
        try:
            self.clients.add(Client(sock, self))
        except (ssl.SSLError, OSError, MemoryError) as failure:
            log_event("error", "connection_refused", reason=type(failure).__name__)
            sock.close()

    def forget(self, client: Client) -> None:
        """A client's connection is gone."""
        self.clients.discard(client)
        self._closed += 1

    # -- the clock --------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self.stopped.done():
            return
        self.loop.call_later(_TICK_S, self._tick)
        self._ticks += 1
        self.audit.flush()
        log.stdout.flush()
        now = time.monotonic()
        if self.gate.draining:
            self._drain_on(now)
        self._relieve()
        if self._ticks % _SLOW_TICKS == 0:
            self._sweep(now)
            self.adoption.poll(now)

    def _sweep(self, now: float) -> None:
        """Find what has passed its deadline; a timer each would cost more than the calls."""
        for client in list(self.clients):
            if client.closed:
                self.forget(client)
            elif client.deadline < now:
                client.on_deadline()
            elif client.blocked:
                client.check_reader(now)
        self.adoption.sweep(now)
        self.kinds.sweep(now)
        # Freed memory is only ours to use again until it is given back: shedding would not end.
        many = self._closed >= _TRIM_AFTER and self._closed >= 2 * len(self.clients)
        if many or (self.shedding and self._closed):
            self._closed = 0
            gc.collect()
            trim_memory()

    def _relieve(self) -> None:
        """Measure what is left; make room before there is none."""
        pressure = self.pressure
        pressure.measure()
        shedding = pressure.shedding(len(self.clients))
        if shedding != self.shedding:
            self.shedding = shedding
            self.cautious = shedding or self.gate.draining
            ReadSize.press(shedding)
            log_event(
                "warning" if shedding else "info",
                "shedding" if shedding else "shedding_over",
                memory=round(pressure.memory, 2),
                connections=len(self.clients),
            )
        if shedding:
            self._close_idle()

    def _close_idle(self) -> None:
        """Silently close idle connections, the oldest first: a tenth of all at a time."""
        idle = [client for client in self.clients if client.idle]
        idle.sort(key=lambda client: client.idle_since)
        for client in idle[: max(16, len(self.clients) // 10)]:
            self._close(client)
        for member in self.adoption.members.values():
            member.close()

    def _close(self, client: Client) -> None:
        client.vanish()
        if client.closed:  # else its last answer is not out yet, and its deadline is looked at
            self.forget(client)

    # -- going down -------------------------------------------------------------------------------

    def drain(self) -> None:
        """Serve on until the application is gone, at most the grace; a second call ends now."""
        if self.gate.draining:
            self._end()
            return
        self.gate.draining = self.cautious = True
        for client in self.clients:
            if client.exchange is not None:
                client.exchange.close = True  # and its answer, if it has not begun, says so
        self._draining_since = self._last_seen = time.monotonic()
        log_event("info", "draining", connections=len(self.clients))

    def _drain_on(self, now: float) -> None:
        if self.clients:
            self._last_seen = now
        for client in list(self.clients):
            if client.idle and now - client.idle_since > _QUIET_S:
                self._close(client)
        waited = now - self._draining_since >= self.limits.drain_grace_s
        if waited or now - self._last_seen >= _QUIET_S:
            self._end()

    def _end(self) -> None:
        for client in list(self.clients):
            exchange = client.exchange
            if exchange is not None and exchange.watching:
                exchange.end_watch(None)
        if not self.stopped.done():
            self.stopped.set_result(None)

    def _shut(self) -> None:
        for listener in self._listeners:
            listener.close()
        for server in self._admin_servers:
            server.close()
        for client in list(self.clients):
            client.close_down()
        self.adoption.close_down()
        cancel_all()
        log_event("info", "stopped")
        self.audit.flush()
        log.stdout.flush()


def _freeze() -> None:
    """What the start made stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _server_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.cert_path, identity.key_path)
    context.set_alpn_protocols(["http/1.1"])
    # The client's order of ciphers counts: Go puts AES-128 first, a fifth cheaper than AES-256.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # no client of the API resumes: a ticket is work for nothing
    return context


def _host_names(settings: Settings) -> frozenset[bytes]:
    """The Host values that mean this API."""
    names = set()
    for address in settings.api_listen:
        host = f"[{address.host}]" if ":" in address.host else address.host
        names |= {host, f"{host}:{address.port}", f"localhost:{address.port}", "localhost"}
        for name in _ANY_PORT_NAMES:
            names |= {name, f"{name}:443", f"{name}:{address.port}"}
    return frozenset(name.encode() for name in names)


def _name(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
