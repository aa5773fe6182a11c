"""Owns who may be connected: how many at once, from where, and for how long without a request.

Must not know what is asked. aiohttp has none of these limits, and nobody who can reach the port
has to prove who he is.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

_HANDSHAKE_S: Final = 5.0
_FIRST_REQUEST_S: Final = 10.0
# The API server gives up an idle one after 90 s: it is not to find one closed that it uses.
_NEXT_REVIEW_S: Final = 120.0
_LOOK_S: Final = 1.0
_PAUSE_S: Final = 0.05

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Socket(socket.socket):
    """Tells when it is closed, whichever way that comes about."""

    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        if self.on_close is not None:
            self.on_close()
            self.on_close = None


class _Connection:
    """`due` is when it must have asked something; one that is being answered is not due."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.greeting: asyncio.Task[None] | None = None
        self.asking = 0
        self.since = time.monotonic()
        self.due = self.since + _FIRST_REQUEST_S

    def rest(self, seconds: float) -> None:
        """It has asked, and has so long for its next."""
        self.since = time.monotonic()
        self.due = self.since + seconds

    def end(self) -> None:
        """Now, whatever it is at."""
        if self.transport is not None:
            self.transport.abort()
        elif self.greeting is not None:
            self.greeting.cancel()


class Connections:
    """All that are open. When there are too many, the peer that has most gives one up."""

    def __init__(self, most: int, on_refusal: Callable[[], None]) -> None:
        self._most = most
        self._on_refusal = on_refusal
        self._count = 0
        self._peers: dict[str, set[_Connection]] = {}
        self._open: dict[web.RequestHandler, _Connection] = {}

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note who asks; for the application's middlewares."""
        connection = self._open.get(request.protocol)
        if connection is None:
            return await handler(request)
        connection.asking += 1
        try:
            return await handler(request)
        finally:
            connection.asking -= 1
            connection.rest(_NEXT_REVIEW_S if request.method == "POST" else _FIRST_REQUEST_S)

    async def serve(
        self, listening: socket.socket, server: web.Server, context: ssl.SSLContext
    ) -> None:
        """Accept until it is cancelled."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        with listening:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._close_idle())
                while True:
                    try:
                        plain, address = await loop.sock_accept(listening)
                    except OSError:  # no descriptors or memory: the backlog holds callers
                        await asyncio.sleep(_PAUSE_S)
                        continue
                    if not self._make_room(address[0]):
                        plain.close()
                        self._on_refusal()
                        continue
                    connection = _Connection()
                    sock = self._take(plain, address[0], connection)
                    greeting = self._greet(sock, connection, server, context)
                    connection.greeting = group.create_task(greeting)
                    connection.greeting.add_done_callback(partial(_close_failed, sock, connection))

    def _make_room(self, peer: str) -> bool:
        """Whether one more may come: at the expense of whoever has most, and has waited longest."""
        if self._count < self._most:
            return True
        largest = max(self._peers.values(), key=len)
        idle = [connection for connection in largest if not connection.asking]
        if len(self._peers.get(peer, ())) + 1 >= len(largest) or not idle:
            return False
        min(idle, key=lambda connection: connection.since).end()
        self._on_refusal()
        return True

    def _take(self, plain: socket.socket, peer: str, connection: _Connection) -> _Socket:
        sock = _Socket(fileno=plain.detach())
        sock.setblocking(False)
        self._count += 1
        self._peers.setdefault(peer, set()).add(connection)

        def forget() -> None:
            self._count -= 1
            self._peers[peer].discard(connection)
            if not self._peers[peer]:
                del self._peers[peer]

        sock.on_close = forget
        return sock

    async def _greet(
        self,
        sock: _Socket,
        connection: _Connection,
        server: web.Server,
        context: ssl.SSLContext,
    ) -> None:
        protocol = server()
        self._open[protocol] = connection
        loop = asyncio.get_running_loop()
        try:
            connection.transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=context, ssl_handshake_timeout=_HANDSHAKE_S
            )
        except OSError:  # TLS's own errors and a handshake's timeout are of this kind, too
            return
        finally:
            if connection.transport is None:
                del self._open[protocol]

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            for protocol, connection in list(self._open.items()):
                transport = connection.transport
                if transport is None:
                    continue
                if not transport.is_closing() and not connection.asking and connection.due < now:
                    transport.abort()
                if transport.is_closing():
                    del self._open[protocol]


def _close_failed(sock: _Socket, connection: _Connection, _: asyncio.Task[None]) -> None:
    """Also of who was given up before a word was said."""
    if connection.transport is None:
        sock.close()
