"""Owns the way to a new connection: a cluster's addresses, the TCP connect, the TLS handshake.

Must not know calls: whoever dials is told of the connection, or of what went wrong at every
address. Steps are callbacks, not a task: a new connection is on the path of a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from sidecar.log import log_event
from sidecar.reactor import WRITE
from sidecar.stream import NEVER, describe
from sidecar.tasks import in_thread, spawn
from sidecar.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidecar.member import Member
    from sidecar.reactor import Reactor

    Then = Callable[["Upstream | str"], None]
    _Found = list[tuple[Any, Any, int, str, tuple[Any, ...]]]

_NAMES_S = 30.0
_MAX_ADDRESSES = 4
_UNDER_WAY = (0, errno.EINPROGRESS)
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)

Address = tuple[int, tuple[Any, ...]]


class Shortage(str):
    """A reason that is ours, not the cluster's: no descriptors, or no memory."""

    __slots__ = ()


class Dialer:
    """Knows a cluster's addresses and opens connections to them, one after the other."""

    def __init__(self, member: Member, reactor: Reactor) -> None:
        self.member = member
        self.reactor = reactor
        self._host = member.cluster.host
        self._port = member.cluster.port
        literal = _literal(self._host, self._port)  # asking the resolver would start a thread
        self._addresses: Sequence[Address] = (literal,) if literal else ()
        self._fresh_until = NEVER if literal else 0.0
        self._waiting: list[Then] | None = None  # for the resolver's answer, for as long as usual
        self._asked: asyncio.Future[_Found] | None = None  # it, however long it takes
        self.attempts: set[_Attempt] = set()  # that wait for an address to answer

    def dial(self, then: Then) -> None:
        """Open a connection; `then` gets it, or the reason why there is none."""
        if monotonic() >= self._fresh_until and self._waiting is None:
            self._waiting = []
            spawn(self._resolve(), "resolve")
        if self._addresses or self._waiting is None:
            _Attempt(self, self._addresses, then)
        else:
            self._waiting.append(then)

    def abandon(self, problem: str) -> None:
        """Nobody is to wait any longer for an address to answer."""
        for attempt in list(self.attempts):
            attempt.abandon(problem)

    async def _resolve(self) -> None:
        """Ask once for all who wait; who has an address, if an old one, does not."""
        problem = ""
        try:
            if self._asked is None:
                self._asked = in_thread(
                    partial(socket.getaddrinfo, self._host, self._port, type=socket.SOCK_STREAM)
                )
                self._asked.add_done_callback(self._answered)
            await asyncio.wait_for(
                asyncio.shield(self._asked), self.member.limits.connect_timeout_s
            )
        except (OSError, RuntimeError) as failure:  # RuntimeError: no thread to ask in
            problem = f"its name {self._host} does not resolve: {describe(failure)}"
            log_event("warning", "name_lost", cluster=self.member.name, host=self._host)
        waiting, self._waiting = self._waiting or [], None
        for then in waiting:
            if self._addresses:
                _Attempt(self, self._addresses, then)
            else:
                then(problem)

    def _answered(self, asked: asyncio.Future[_Found]) -> None:
        """The resolver has answered, if late: until then it is not asked again."""
        self._asked = None
        if not asked.cancelled() and asked.exception() is None:
            found = [(family, name) for family, _, _, _, name in asked.result()]
            self._addresses = found[:_MAX_ADDRESSES]
        if self._addresses:
            self._fresh_until = monotonic() + _NAMES_S


class _Attempt:
    """One new connection under way: address after address until one answers."""

    __slots__ = ("_addresses", "_dialer", "_sock", "_then", "_timer")

    def __init__(self, dialer: Dialer, addresses: Sequence[Address], then: Then) -> None:
        self._dialer = dialer
        self._addresses = list(addresses)
        self._then = then
        self._sock: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next("it has no address")

    def _next(self, problem: str) -> None:
        while self._addresses:
            family, name = self._addresses.pop(0)
            try:
                sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            except OSError as failure:
                short = failure.errno in _OURS
                problem = Shortage(describe(failure)) if short else describe(failure)
                continue
            code = errno.EINVAL
            with contextlib.suppress(OSError):
                _keep_alive(sock)
                code = sock.connect_ex(name)
            if code in _UNDER_WAY:
                self._wait(sock)
                return
            sock.close()
            problem = os.strerror(code).lower()
        self._then(problem)

    def _wait(self, sock: socket.socket) -> None:
        reactor = self._dialer.reactor
        self._sock = sock
        self._dialer.attempts.add(self)
        reactor.watch(sock.fileno(), self, WRITE)
        self._timer = reactor.loop.call_later(
            self._dialer.member.limits.connect_timeout_s, self._timed_out
        )

    def _leave(self) -> socket.socket | None:
        if self._timer is not None:
            self._timer.cancel()
        self._dialer.attempts.discard(self)
        sock, self._sock = self._sock, None
        if sock is not None:
            self._dialer.reactor.watch(sock.fileno(), self, 0)
        return sock

    def give_up(self) -> None:
        """A defect showed: the call is told that there is no connection."""
        if (sock := self._leave()) is not None:
            sock.close()
        self._then("the attempt failed")

    def abandon(self, problem: str) -> None:
        """No address is tried any more."""
        self._addresses.clear()
        if (sock := self._leave()) is not None:
            sock.close()
            self._then(problem)

    def _timed_out(self) -> None:
        if (sock := self._leave()) is not None:
            sock.close()
        self._next(f"no connection within {self._dialer.member.limits.connect_timeout_s:g} s")

    def on_ready(self, events: int) -> None:
        """Connected, or refused."""
        sock = self._leave()
        if sock is None:
            return
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            sock.close()
            self._next(os.strerror(code).lower())
            return
        try:
            connection = Upstream(self._dialer.reactor, sock, self._dialer.member)
        except (ssl.SSLError, ValueError) as failure:
            sock.close()
            self._next(describe(failure))
            return
        connection.connect(self._settled)

    def _settled(self, connection: Upstream, problem: str) -> None:
        if problem:
            self._next(problem)
        else:
            self._then(connection)


def _literal(host: str, port: int) -> Address | None:
    """The address that an IP is, without asking anybody."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return family, (host, port)
    return None


def _keep_alive(sock: socket.socket) -> None:
    """Find dead peers: probes when idle, a bound on unacknowledged data when not."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
