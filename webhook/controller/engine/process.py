"""Owns the controller's process: what begins when, and its end.

Must not know what its parts do. The stores and the broker run in every replica; the parts run once
all stores are read, and only while this replica holds the Lease. The loop serves, everything else
has threads: calls of API servers block.
"""

import asyncio
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, cast

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from sidecar.log import log_event
from webhook.certificates.file_certificate import CertificateSource
from webhook.controller.engine.crew import Crew
from webhook.controller.engine.lease import Durations, Elector
from webhook.controller.engine.pages import Pages
from webhook.controller.engine.part import Part
from webhook.controller.engine.settings import ControllerSettings
from webhook.controller.engine.tally import EngineTally
from webhook.controller.engine.world import World
from webhook.kube import Kube
from webhook.serving.connections import Connections
from webhook.serving.faults import Faults
from webhook.serving.port import give_memory_back, open_port

EXIT_BIND: Final = 69
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
# Sidecars of 5,000 namespaces ask at different times; an idle connection costs up to 0.3 MB.
_MAX_CONNECTIONS: Final = 640
_LAST_CALLS_S: Final = 5.0
_LINGER_S: Final = 2.0
# The broker's answers must not wait 5 ms for each of the threads that compile.
_SWITCH_S: Final = 0.001
_SYNC_LOOK_S: Final = 0.02
# No longer: a Cluster that cannot be judged holds up no other's edits.
_FIND_S: Final = 10.0

BuildParts = Callable[[World], Iterable[Part]]
Mount = Callable[[web.Application, World], None]


async def serve(
    kube: Kube,
    settings: ControllerSettings,
    certificate: CertificateSource,
    build_parts: BuildParts,
    mount: Mount,
) -> int:
    """Run until a signal asks to end; the exit code."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, ending.set)
    sys.setswitchinterval(_SWITCH_S)
    give_memory_back()
    logging.getLogger().addHandler(Faults())
    registry = CollectorRegistry()
    elector = Elector(kube, settings.namespace, settings.identity, Durations(settings.lease_s))
    world = World(kube, settings, registry, elector.leads)
    pages = Pages(registry, world.list_lacking)
    pages.lacks = certificate.lacks
    application = web.Application()
    pages.add_to(application)
    mount(application, world)
    refused = Counter(
        "mca_controller_connections_refused",
        "Connections closed at once, because there were too many, of their peer or of all",
        registry=registry,
    )
    connections = Connections(_MAX_CONNECTIONS, refused.inc)
    application.middlewares.append(connections.watch)
    crews = _Crews(world, build_parts(world), elector)
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=_LAST_CALLS_S,
        auto_decompress=False,
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
            log_event("info", "controller_serves", host=settings.host, port=settings.port)
            crews.start()
            await certificate.keep(ending, registry, partial(setattr, pages, "lacks"))
            pages.draining = True
            # Another replica leads while this one still answers who was told of its address.
            await asyncio.to_thread(elector.release)
            crews.rest()
            log_event("info", "controller_drains", seconds=settings.drain_s)
            await asyncio.sleep(settings.drain_s)
            serving.cancel()
    finally:
        await runner.cleanup()
    return 0


class _Crews:
    """All parts' workers: they begin with the stores, and follow the Lease."""

    def __init__(self, world: World, parts: Iterable[Part], elector: Elector) -> None:
        self._world = world
        self._elector = elector
        self._tally = EngineTally(world.registry)
        made = [(part.found, Crew(part, self._tally, elector.leads)) for part in parts]
        self._first = [(found, crew) for found, crew in made if found is not None]
        self._others = [crew for found, crew in made if found is None]
        self._all = [crew for _, crew in made]

    def start(self) -> None:
        self._world.start(self._tally)
        for crew in self._all:
            crew.start()
        threading.Thread(target=self._run, name="lease", daemon=True).start()

    def rest(self) -> None:
        for crew in self._all:
            crew.rest()

    def _run(self) -> None:
        # Who has not read everything yet would take what it does not know for gone.
        waiting = threading.Event()
        while self._world.list_lacking():
            waiting.wait(_SYNC_LOOK_S)
        log_event("info", "stores_read")
        self._elector.run(self._change)

    def _change(self, leads: bool) -> None:
        self._tally.tell_leads(leads=leads)
        if leads:
            # Whoever renews the Lease does not wait for the work.
            threading.Thread(target=self._lead, name="lead", daemon=True).start()
        else:
            self.rest()

    def _lead(self) -> None:
        for _, crew in self._first:
            crew.lead()
        waiting, until = threading.Event(), time.monotonic() + _FIND_S
        while time.monotonic() < until and not all(found() for found, _ in self._first):
            waiting.wait(_SYNC_LOOK_S)
        if self._elector.leads():
            for crew in self._others:
                crew.lead()
