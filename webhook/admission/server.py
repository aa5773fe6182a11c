"""Owns the webhook's process: its port, its pages, its certificate's renewal and its end.

Must not look into a review: review.py answers it.
"""

import asyncio
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from sidecar.log import log_event
from webhook.admission.environment import ServerSettings
from webhook.admission.registration import MODES, find_path
from webhook.admission.review import review
from webhook.admission.serving_certificate import ServingCertificate
from webhook.admission.settings import InjectionSettings
from webhook.admission.tally import Tally

EXIT_BIND: Final = 69
# The API server's own limit for a request is 3 MiB; a review holds one object and little else.
MAX_BODY_BYTES: Final = 3 << 20
_BODY_DEADLINE_S: Final = 10.0
_BACKLOG: Final = 1024
_RELOAD_S: Final = 1.0
_LAST_CALLS_S: Final = 5.0
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Webhook:
    """What it answers; `draining` says on /readyz that it ends."""

    def __init__(self, settings: InjectionSettings) -> None:
        self._settings = settings
        self._tally = Tally()
        self.draining = False

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
            self._tally.count(mode, reviewed.result, reviewed.code, seconds)
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
        return web.Response(text="ok\n")

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._tally.render(), content_type="text/plain")


async def serve(settings: ServerSettings, certificate: ServingCertificate) -> int:
    """Serve until a signal asks to end; the exit code."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, ending.set)
    webhook = Webhook(settings.injection)
    runner = web.AppRunner(webhook.build(), access_log=None, shutdown_timeout=_LAST_CALLS_S)
    await runner.setup()
    try:
        try:
            listening = _listen(settings.host, settings.port)
        except OSError as error:
            log_event("error", "cannot_listen", host=settings.host, port=settings.port, error=error)
            return EXIT_BIND
        await web.SockSite(runner, listening, ssl_context=certificate.context).start()
        log_event("info", "webhook_serves", host=settings.host, port=settings.port)
        await _renew_until(ending, certificate)
        # Who was told of this address a moment ago must not be turned away.
        webhook.draining = True
        log_event("info", "webhook_drains", seconds=settings.drain_s)
        await asyncio.sleep(settings.drain_s)
    finally:
        await runner.cleanup()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """At `::` for both families, which asyncio itself would not do; IPv4 alone if need be."""
    if host == "::" and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 - as was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server(
        (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::"
    )


async def _renew_until(ending: asyncio.Event, certificate: ServingCertificate) -> None:
    told = ""
    while not ending.is_set():
        problem = certificate.load()
        if problem and problem != told:
            log_event("warning", "certificate_kept", problem=problem)
        told = problem
        try:
            async with asyncio.timeout(_RELOAD_S):
                await ending.wait()
        except TimeoutError:
            continue
