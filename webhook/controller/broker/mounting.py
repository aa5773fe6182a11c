"""Owns how the broker is put together, and into a server.

Must not open a port: the process does.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from webhook.controller.broker.answering import Answering
from webhook.controller.broker.granting import Granting
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.issuing import Issuing
from webhook.controller.broker.member_connections import MemberConnections
from webhook.controller.broker.publishing import Publisher
from webhook.controller.broker.reports import Reports
from webhook.controller.broker.reviews import Reviews
from webhook.controller.broker.status_maps import StatusMaps
from webhook.controller.broker.tally import BrokerTally
from webhook.controller.broker.threads import Threads
from webhook.controller.engine.world import World
from webhook.enforcement.injected import Trust
from webhook.resources.names import POLICY

# Reads at home. As many as take turns: none of them waits for another.
_THREADS: Final = 16
_TIDY_S: Final = 60.0


def mount_broker(application: web.Application, world: World) -> None:
    """Its pages, and what it does beside them while the server runs."""
    settings = world.settings
    threads = Threads("broker", _THREADS)
    objects = HomeObjects(world.kube, threads)
    members = MemberConnections()
    reports = Reports()
    trust = Trust(settings.sidecar_images, settings.token_audiences, settings.address)
    granting = Granting(objects, trust, settings.namespace)

    def find_revision(namespace: str) -> str:
        stored = world.policies.get(f"{namespace}/{POLICY}")
        return stored.revision if stored else ""

    Answering(
        Reviews(world.kube, threads),
        granting,
        Issuing(objects, members, settings.namespace),
        reports,
        lambda namespace: bool(find_revision(namespace)),
        BrokerTally(world.registry),
    ).mount(application)

    publisher = Publisher(
        StatusMaps(world.kube, settings.namespace),
        threads,
        objects,
        reports,
        find_revision,
        settings.identity,
    )

    async def tidy() -> None:
        while True:
            await asyncio.sleep(_TIDY_S)
            if world.clusters.synced:
                members.keep_only({kept.value.meta.uid for _, kept in world.clusters.items()})

    async def run(_: web.Application) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(publisher.run()), group.create_task(tidy())]
            yield
            for task in tasks:
                task.cancel()

    application.cleanup_ctx.append(run)
