"""Owns the webhook's process: its port and its end.

Must not answer anything, pages.py does, nor know where its certificate comes from.
"""

import asyncio
import logging
import signal
import sys
from functools import partial
from typing import Final, cast

from aiohttp import web

from sidecar.log import log_event
from webhook.admission.environment import ServerSettings
from webhook.admission.pages import Webhook
from webhook.admission.provision import MemberSource
from webhook.certificates.file_certificate import CertificateSource
from webhook.serving.connections import Connections
from webhook.serving.faults import Faults
from webhook.serving.port import give_memory_back, open_port

EXIT_BIND: Final = 69
# More than an API server has calls that change something. An idle one costs up to 0.3 MB.
_MAX_CONNECTIONS: Final = 640
_LAST_CALLS_S: Final = 5.0
_LINGER_S: Final = 2.0
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
# Python's own 5 ms, for each time that a large review's thread has the interpreter and the loop
# wants it, would add up in every call beside it.
_SWITCH_S: Final = 0.0005


async def serve(
    settings: ServerSettings, certificate: CertificateSource, members: MemberSource
) -> int:
    """Serve until a signal asks to end; the exit code."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, ending.set)
    sys.setswitchinterval(_SWITCH_S)
    give_memory_back()
    logging.getLogger().addHandler(Faults())
    webhook = Webhook(settings.injection, members)
    webhook.lacks = certificate.lacks
    connections = Connections(_MAX_CONNECTIONS, webhook.tally.refuse_connection)
    application = webhook.build()
    application.middlewares.append(connections.watch)
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=_LAST_CALLS_S,
        # No API server compresses; a thousandth of what it becomes would pass for its size.
        auto_decompress=False,
        # Of a refused review the rest is read, so that the refusal arrives, but not for long.
        lingering_time=_LINGER_S,
    )
    await runner.setup()
    server = cast("web.Server", runner.server)  # there is one from here on
    try:
        try:
            listening = open_port(settings.host, settings.port)
        except OSError as error:
            log_event("error", "cannot_listen", host=settings.host, port=settings.port, error=error)
            return EXIT_BIND
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(connections.serve(listening, server, certificate.context))
            log_event("info", "webhook_serves", host=settings.host, port=settings.port)
            tell = partial(setattr, webhook, "lacks")
            await certificate.keep(ending, webhook.tally.registry, tell)
            # Who was told of this address a moment ago must not be turned away.
            webhook.draining = True
            log_event("info", "webhook_drains", seconds=settings.drain_s)
            await asyncio.sleep(settings.drain_s)
            serving.cancel()
    finally:
        await runner.cleanup()
    return 0
