"""A home that has what a test lays there: objects by path, or the status it answers with.

Must not know what is read of it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.scripted_server import Connection, ScriptedServer
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.threads import Threads
from webhook.kube import open_server


class Shelf:
    """`objects` answer GETs; `asked` are the paths that were asked for."""

    def __init__(self, server: ScriptedServer, found: HomeObjects) -> None:
        self.objects: dict[str, Any] = {}
        self.home = found
        self._server = server

    @property
    def asked(self) -> list[str]:
        return [request.target.decode() for request in self._server.requests]

    def answer(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            found = self.objects.get(request.target.decode(), 404)
            code = found if isinstance(found, int) else 200
            body = json.dumps({"kind": "Status"} if isinstance(found, int) else found).encode()
            head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (code, len(body))
            connection.send(head + body)


@asynccontextmanager
async def open_shelf() -> AsyncIterator[Shelf]:
    """An empty one."""
    with ScriptedServer() as server:
        kube = open_server(server.url, server.authority.pem, token="controller")
        threads = Threads("shelf", 2)
        shelf = Shelf(server, HomeObjects(kube, threads))
        server.script = shelf.answer
        yield shelf
        threads.close()
        kube.close()
