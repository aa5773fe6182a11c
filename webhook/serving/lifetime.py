"""Owns the life of a process that serves: its signals, its port, its last calls, its exit code.

Must not answer anything, nor know what is served or where its certificate comes from.
"""

import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, cast

from aiohttp import web

from sidecar.log import log_event
from webhook.serving.connections import Connections
from webhook.serving.faults import Faults
from webhook.serving.port import give_memory_back, open_port

EXIT_BIND: Final = 69
# An idle one costs up to 0.3 MB. More than an API server has calls that change something, and
# sidecars of 5,000 namespaces ask at different times.
_MAX_CONNECTIONS: Final = 640
_LAST_CALLS_S: Final = 5.0
_LINGER_S: Final = 2.0
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)

Live = Callable[[asyncio.Event], Awaitable[None]]


class Served(NamedTuple):
    """What is served, where, and for how long after the signal; events begin with `name`.

    `switch_s` is how long a thread keeps the interpreter when the loop wants it: Python's own 5 ms
    would add up in every call beside it. `refuse` counts a connection that finds no room.
    """

    name: str
    application: web.Application
    context: ssl.SSLContext
    host: str
    port: int
    drain_s: int
    switch_s: float
    refuse: Callable[[], None]


async def serve_until_signal(served: Served, live: Live) -> int:
    """Serve until a signal asks to end; the exit code.

    `live` begins when the port is open. It waits for the event that the signal sets, and returns
    when nothing is left but to answer who was told of this address a moment ago.
    """
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, ending.set)
    sys.setswitchinterval(served.switch_s)
    give_memory_back()
    logging.getLogger().addHandler(Faults())
    connections = Connections(_MAX_CONNECTIONS, served.refuse)
    served.application.middlewares.append(connections.watch)
    runner = web.AppRunner(
        served.application,
        access_log=None,
        shutdown_timeout=_LAST_CALLS_S,
        # No caller compresses; a thousandth of what it becomes would pass for its size.
        auto_decompress=False,
        # Of a refused body the rest is read, so that the refusal arrives, but not for long.
        lingering_time=_LINGER_S,
    )
    await runner.setup()
    server = cast("web.Server", runner.server)  # there is one from here on
    where = {"host": served.host, "port": served.port}
    try:
        try:
            listening = open_port(served.host, served.port)
        except OSError as error:
            log_event("error", "cannot_listen", **where, error=error)
            return EXIT_BIND
        # `with` for a failure so early that the task has not begun.
        with listening:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(connections.serve(listening, server, served.context))
                log_event("info", f"{served.name}_serves", **where)
                await live(ending)
                log_event("info", f"{served.name}_drains", seconds=served.drain_s)
                await asyncio.sleep(served.drain_s)
                serving.cancel()
    finally:
        await runner.cleanup()
    return 0
