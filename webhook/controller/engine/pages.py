"""Owns what the controller tells of itself over HTTP: its health, its metrics.

Must not answer for the broker. Ready means that the broker can decide: what it decides by has been
read, and there is a certificate. Who leads is no matter of it.
"""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest


class Pages:
    """/livez, /readyz, /metrics. `lacks` is what the certificate lacks."""

    def __init__(self, registry: CollectorRegistry, list_lacking: Callable[[], tuple[str, ...]]):
        self._registry = registry
        self._list_lacking = list_lacking
        self.lacks = ""
        self.draining = False

    def add_to(self, application: web.Application) -> None:
        """Serve them there."""
        application.router.add_get("/livez", self._tell_alive)
        application.router.add_get("/readyz", self._tell_ready)
        application.router.add_get("/metrics", self._tell_metrics)

    async def _tell_alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _tell_ready(self, _: web.Request) -> web.Response:
        unread = self._list_lacking()
        if self.draining:
            return web.Response(status=503, text="ending")
        if self.lacks or unread:
            told = [self.lacks] if self.lacks else []
            told += [f"not read yet: {', '.join(unread)}"] if unread else []
            return web.Response(status=503, text="; ".join(told))
        return web.Response(text="ok")

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
