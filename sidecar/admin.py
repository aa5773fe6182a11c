"""Owns the admin port: is the sidecar alive, is it ready, and its metrics.

Must not tell anything secret: the port is open to the kubelet, so to other pods too. Metrics go
to loopback alone unless asked otherwise.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_HEAD = 8192
_DEADLINE_S = 10.0
_MAX_CONNECTIONS = 64
_PHRASES = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    503: b"Service Unavailable",
}

Answer = tuple[int, bytes]


class Admin:
    """What the admin port answers."""

    def __init__(
        self, *, problem: Callable[[], str], metrics: Callable[[], bytes], public: bool
    ) -> None:
        self._problem = problem
        self._metrics = metrics
        self._public = public
        self.connections: dict[AdminConnection, None] = {}  # in the order in which they came

    def answer(self, method: str, path: str, *, local: bool) -> Answer:
        """The status and body for one request."""
        if method not in ("GET", "HEAD"):
            return 405, b"only GET and HEAD are served here\n"
        path = path.partition("?")[0]
        if path == "/livez":
            return 200, b"ok\n"
        if path == "/readyz":
            problem = self._problem()
            return (503, problem.encode() + b"\n") if problem else (200, b"ok\n")
        if path == "/metrics":
            if not local and not self._public:
                return 403, b"metrics are served to loopback; MCA_METRICS=public opens them\n"
            return 200, self._metrics()
        return 404, b"/livez, /readyz and /metrics are served here\n"


class AdminConnection(asyncio.Protocol):
    """One plain HTTP/1.1 connection to the admin port; closed after each answer."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        connections = self._admin.connections
        if len(connections) >= _MAX_CONNECTIONS:
            # The oldest goes: 64 neighbours that say nothing must not keep the kubelet out.
            next(iter(connections)).abort()
        connections[self] = None
        self._timer = asyncio.get_running_loop().call_later(_DEADLINE_S, transport.abort)

    def abort(self) -> None:
        """End it at once."""
        self._admin.connections.pop(self, None)
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._admin.connections.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) <= _MAX_HEAD:
            return
        line = self._head.partition(b"\r\n")[0].decode("latin-1")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self._send(400, b"this is not an HTTP/1 request\n", head_only=False)
            return
        code, body = self._admin.answer(words[0], words[1], local=self._is_local())
        self._send(code, body, head_only=words[0] == "HEAD")

    def _is_local(self) -> bool:
        transport = self._transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if not peer:
            return False
        host = peer[0].removeprefix("::ffff:")  # IPv4 on the dual-stack socket
        return bool(host == "::1" or host.startswith("127."))

    def _send(self, code: int, body: bytes, *, head_only: bool) -> None:
        if self._transport is None:
            return
        head = (
            b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            b"Content-Length: %d\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        )
        self._transport.write(head % (code, _PHRASES[code], len(body)))
        if not head_only:
            self._transport.write(body)
        self._transport.close()
