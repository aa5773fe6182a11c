"""Owns the controller's process: what begins when, and its end.

Must not know what its parts do. The stores and the broker run in every replica; the parts run once
all stores are read, and only while this replica holds the Lease. The loop serves, everything else
has threads: calls of API servers block.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

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
from webhook.serving.faults import locate_fault
from webhook.serving.lifetime import Served, serve_until_signal

EXIT_FAULT: Final = 70
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
    crews = _Crews(world, build_parts(world), elector)

    async def live(ending: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        crews.start(partial(loop.call_soon_threadsafe, ending.set))
        await certificate.keep(ending, registry, partial(setattr, pages, "lacks"))
        pages.draining = True
        # Another replica leads while this one still answers who was told of its address.
        # This takes 12 s at most, three calls; with draining and the last calls 27 of the pod's 40.
        await asyncio.to_thread(elector.release)
        crews.rest()

    served = Served(
        name="controller",
        application=application,
        context=certificate.context,
        host=settings.host,
        port=settings.port,
        drain_s=settings.drain_s,
        switch_s=_SWITCH_S,
        refuse=refused.inc,
    )
    code = await serve_until_signal(served, live)
    return EXIT_FAULT if crews.faulty else code


class _Crews:
    """All parts' workers: they begin with the stores, and follow the Lease.

    A fault in what follows it ends the process (`faulty`): a replica that never leads again must
    not pass for one that waits for its turn.
    """

    def __init__(self, world: World, parts: Iterable[Part], elector: Elector) -> None:
        self.faulty = False
        self._world = world
        self._elector = elector
        self._end: Callable[[], object] = lambda: None  # until it is started
        self._tally = EngineTally(world.registry)
        made = [(part.found, Crew(part, self._tally, elector.leads)) for part in parts]
        self._first = [(found, crew) for found, crew in made if found is not None]
        self._others = [crew for found, crew in made if found is None]
        self._all = [crew for _, crew in made]

    def start(self, end: Callable[[], object]) -> None:
        self._end = end
        self._world.start(self._tally)
        for crew in self._all:
            crew.start()
        self._begin("lease", self._follow)

    def rest(self) -> None:
        for crew in self._all:
            crew.rest()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=self._run, args=(name, work), name=name, daemon=True).start()

    def _run(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - nobody else would see the thread's end
            log_event("error", "thread_ended", thread=name, problem=locate_fault(error))
            self.faulty = True
            self._end()

    def _follow(self) -> None:
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
            self._begin("lead", self._lead)
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
