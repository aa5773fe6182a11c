"""Owns what the webhook answers over HTTP: reviews, its health, its metrics.

Must not look into a review: review.py answers it. Must not open a port: server.py does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from webhook.admission.registration import MODES, find_path
from webhook.admission.review import review
from webhook.admission.settings import InjectionSettings
from webhook.admission.tally import Tally

# The API server's own limit for a request is 3 MiB; a review holds one object and little else.
MAX_BODY_BYTES: Final = 3 << 20
_BODY_DEADLINE_S: Final = 10.0

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Webhook:
    """What it answers. /readyz says that it ends (`draining`), or what it `lacks` to begin."""

    def __init__(self, settings: InjectionSettings) -> None:
        self._settings = settings
        self.tally = Tally()
        self.draining = False
        self.lacks = ""

    def build(self) -> web.Application:
        """The application with all its pages."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for mode in MODES:
            app.router.add_post(find_path(mode), self._make_reviewer(mode))
        app.router.add_get("/livez", self._tell_alive)
        app.router.add_get("/readyz", self._tell_ready)
        app.router.add_get("/metrics", self._tell_metrics)
        return app

    def _make_reviewer(self, mode: str) -> Handler:
        namespace = MODES[mode]

        async def answer(request: web.Request) -> web.Response:
            try:
                async with asyncio.timeout(_BODY_DEADLINE_S):
                    body = await request.read()
            except TimeoutError:
                raise web.HTTPRequestTimeout(text="the body did not come in time\n") from None
            began = time.perf_counter()
            reviewed = review(body, namespace, self._settings)
            seconds = time.perf_counter() - began
            self.tally.count(mode, reviewed.result, reviewed.code, seconds)
            response = web.Response(body=reviewed.body, content_type="application/json")
            if self.draining:
                response.force_close()  # the next call of this client goes to another replica
            return response

        return answer

    async def _tell_alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _tell_ready(self, _: web.Request) -> web.Response:
        if self.draining:
            return web.Response(text="it is ending\n", status=503)
        if self.lacks:
            return web.Response(text=f"{self.lacks}\n", status=503)
        return web.Response(text="ok\n")

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.tally.render(), content_type="text/plain")
