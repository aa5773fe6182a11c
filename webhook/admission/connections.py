"""Owns who may be connected: how many at once, from where, and for how long without a request.

Must not know what is asked. aiohttp has none of these limits, and nobody who can reach the port
has to prove who he is.
"""

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from webhook.admission.room import Place, Room

_HANDSHAKE_S: Final = 5.0
_FIRST_REQUEST_S: Final = 10.0
# The API server gives up an idle one after 90 s: it is not to find one closed that it uses.
_NEXT_REQUEST_S: Final = 120.0
_LOOK_S: Final = 1.0
_PAUSE_S: Final = 0.05

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Socket(socket.socket):
    """Tells when it is closed, whichever way that comes about."""

    place: Place | None = None

    def close(self) -> None:
        super().close()
        if self.place is not None:
            self.place.leave()


class _Connection:
    """`due` is when it must have asked something; one that has and waits is not due."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.asking = 0
        self.due = time.monotonic() + _FIRST_REQUEST_S


class Connections:
    """All that are open; a peer may have half of those that the others leave."""

    def __init__(self, most: int, on_refusal: Callable[[], None]) -> None:
        self._room = Room(most)
        self._on_refusal = on_refusal
        self._numbers = itertools.count()
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
            connection.due = time.monotonic() + _NEXT_REQUEST_S

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
                    # A namespace for each, so that only the peer's share counts.
                    place = self._room.enter(address[0], str(next(self._numbers)))
                    if not place.grow(1):
                        plain.close()
                        self._on_refusal()
                        continue
                    sock = _Socket(fileno=plain.detach())
                    sock.place = place
                    group.create_task(self._greet(sock, server, context))

    async def _greet(self, sock: _Socket, server: web.Server, context: ssl.SSLContext) -> None:
        connection = _Connection()
        protocol = server()
        self._open[protocol] = connection
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        try:
            connection.transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=context, ssl_handshake_timeout=_HANDSHAKE_S
            )
        except OSError:  # TLS's own errors and a handshake's timeout are of this kind, too
            del self._open[protocol]
            sock.close()

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
