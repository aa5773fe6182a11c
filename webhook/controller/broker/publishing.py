"""Owns that the other replicas learn what sidecars have reported to this one.

Written where something has changed, the more it is the less often. Must not take a pod that is gone
for one on an old snapshot: those that lag are looked after first.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from sidecar.log import log_event
from webhook.controller.broker.counts import frame_report, group_reports
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.map_names import SHARDS
from webhook.controller.broker.reports import Known, Reports
from webhook.controller.broker.status_maps import StatusMaps
from webhook.controller.broker.threads import Threads
from webhook.kube import KubeError, RawDocument
from webhook.resources.meta import mapping, read_meta

_PAUSE_S: Final = 2.0
# What the API server has to keep of it, for as long as it keeps what was before.
_BYTES_PER_S: Final = 20_000
_LOOK_S: Final = 5.0
# Sooner than the leader takes a replica for gone.
REFRESH_S: Final = 120.0
# A sidecar on an old snapshot is about to change it, mostly.
_PATIENCE_S: Final = 15.0
_LOOK_AGAIN_S: Final = 60.0
_LOOKS_AT_ONCE: Final = 20
_NAMESPACES_AT_ONCE: Final = 500


class Publisher:
    """One replica's."""

    def __init__(
        self,
        maps: StatusMaps,
        threads: Threads,
        objects: HomeObjects,
        reports: Reports,
        find_revision: Callable[[str], str],
        identity: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._maps = maps
        self._key = identity
        self._threads = threads
        self._objects = objects
        self._reports = reports
        self._find_revision = find_revision
        self._clock = clock
        self._looked: dict[str, float] = {}
        self._look_at = self._write_at = float("-inf")
        # By shard: what was written last, and when.
        self._written: dict[str, tuple[str, float]] = {}

    async def run(self) -> None:
        """Until it is cancelled. Whatever cannot be done now is done in the next round."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                await self.advance()
            except KubeError as error:
                log_event("warning", "reports_not_published", problem=error.message[:300])

    async def advance(self) -> None:
        """One round."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            self._reports.drop_old()
            await self._look_after_old(now)
        if now < self._write_at:
            return
        # Of 50,000 that takes a moment, in which the loop has others to answer.
        told = await self._threads.run(partial(group_reports, self._reports.list_all()))
        size = 0
        for shard in SHARDS:
            size += await self._publish(shard, told.get(shard, ""), now)
        self._write_at = now + size / _BYTES_PER_S

    async def _publish(self, shard: str, told: str, now: float) -> int:
        """How much was written: nothing, if it stands there."""
        before, at = self._written.get(shard, ("", now))
        if told == before and (not told or now - at < REFRESH_S):
            return 0
        content = frame_report(told, time.time()) if told else None
        await self._threads.run(partial(self._maps.write, shard, {self._key: content}))
        self._written[shard] = (told, now)
        return len(told)

    async def _look_after_old(self, now: float) -> None:
        self._looked = {uid: until for uid, until in self._looked.items() if until > now}
        lagging = [
            (namespace, known)
            for namespace, known in self._reports.list_next(_NAMESPACES_AT_ONCE)
            if now - known.at > _PATIENCE_S
            and known.pod_uid not in self._looked
            and known.report.revision != self._find_revision(namespace)
        ]
        for namespace, known in lagging[:_LOOKS_AT_ONCE]:
            self._looked[known.pod_uid] = now + _LOOK_AGAIN_S
            if is_gone(await self._objects.read_pod(namespace, known.pod), known):
                self._reports.forget(namespace, known.pod_uid)


def is_gone(pod: RawDocument | None, known: Known) -> bool:
    """Whether its sidecar runs no more."""
    if pod is None or read_meta(pod).uid != known.pod_uid:
        return True
    return mapping(pod.get("status")).get("phase") in ("Succeeded", "Failed")
