"""Owns what is told of all sidecars: how many of each Tenant run an old snapshot.

By the leader alone, by what all replicas have published. Must not write what is there already.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from webhook.controller.broker.counts import (
    Count,
    add_up,
    count_namespaces,
    group_by_tenant,
    merge_reports,
    read_time,
)
from webhook.controller.broker.map_names import STATUS_KEY, STATUS_MAP
from webhook.controller.broker.pacing import choose_pace
from webhook.controller.broker.publishing import REFRESH_S
from webhook.controller.broker.recency import GRACE_S, Recency
from webhook.controller.broker.status_maps import MANAGER, StatusMaps
from webhook.controller.broker.sums import describe_sidecars, says, summarize
from webhook.controller.engine.world import World
from webhook.kube import KubeError, RawDocument
from webhook.resources.claims import judge_claim
from webhook.resources.conditions import Condition, apply_status, now_text, same_conditions
from webhook.resources.meta import Meta, mapping
from webhook.resources.names import LABEL_TENANT, POLICY, object_path

EVERY_S: Final = 5.0
_IDLE_S: Final = 15.0
# After a change of what is followed, sidecars follow and say so. Then nothing changes by itself,
# but that a replica is gone.
_FOLLOWED_S: Final = 40.0
_RECOUNT_S: Final = 60.0
# A replica's word counts for so long; what it had heard is told to another by then.
_GONE_S: Final = 3 * REFRESH_S
_BYTES_PER_S: Final = 100_000
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404

Shards = Mapping[str, Mapping[str, str]]


class Counting:
    """Counts again each time that it is called and something may have changed."""

    def __init__(self, world: World, clock: Callable[[], float] = time.time) -> None:
        self._world = world
        self._clock = clock
        self._maps = StatusMaps(world.writer, world.settings.namespace)
        self._recency = Recency(self._find_revision, clock)
        self._changed = True
        self._busy_until = 0.0
        self._spread_s = 0
        self._counted: tuple[Shards, float] | None = None
        world.policies.listen(self._hear)
        world.namespaces.listen(self._hear)
        world.tenants.listen(self._hear)

    def reconcile(self, _key: str) -> float:
        """All of it; when to come again."""
        shards, now = self._maps.read_shards(), self._clock()
        size = sum(len(text) for data in shards.values() for text in data.values())
        if self._changed:
            self._changed = False
            self._busy_until = now + _FOLLOWED_S + self._spread_s
        pause = _IDLE_S
        if self._is_new(shards, now):
            pause, self._counted = EVERY_S, None
            self._count(shards)
            self._counted = (shards, now)
        return max(pause, size / _BYTES_PER_S)

    def _hear(self, _: object) -> None:
        self._changed = True

    def _is_new(self, shards: Shards, now: float) -> bool:
        if self._counted is None or now < self._busy_until:
            return True
        seen, at = self._counted
        return seen != shards or now >= at + _RECOUNT_S

    def _count(self, shards: Shards) -> None:
        # Who has not written for long is gone; while a replica hears anything, it writes.
        before = self._clock() - _GONE_S
        gone = [
            (shard, key)
            for shard, data in shards.items()
            for key, text in data.items()
            if read_time(text) < before
        ]
        merged = merge_reports(
            text
            for shard, data in shards.items()
            for key, text in data.items()
            if (shard, key) not in gone
        )
        # Of many each takes its time to say that it has followed.
        self._spread_s = choose_pace(sum(map(len, merged.values()))).spread_s
        self._recency.grace_s = GRACE_S + self._spread_s
        self._recency.keep_only(merged.keys())
        namespaces = count_namespaces(merged, self._recency.find)
        held = group_by_tenant(namespaces, self._find_tenant)
        failed: KubeError | None = None
        for tell in self._list_tellings(namespaces, held, gone):
            try:
                tell()
            except KubeError as error:  # the others are told all the same
                failed = error
        if failed is not None:
            raise failed

    def _list_tellings(
        self,
        namespaces: Mapping[str, Count],
        held: Mapping[str, Mapping[str, Count]],
        gone: Iterable[tuple[str, str]],
    ) -> Iterator[Callable[[], None]]:
        for name, kept in self._world.tenants.items():
            counts = held.get(name, {})
            condition = describe_sidecars(counts, kept.value.meta.generation)
            yield partial(self._tell, kept.document, kept.value.meta, condition, add_up(counts))
        sums = {name: add_up(counts) for name, counts in held.items()}
        yield partial(self._tell_all, summarize(namespaces, sums))
        for shard, key in gone:
            yield partial(self._maps.write, shard, {key: None})

    def _find_revision(self, namespace: str) -> str:
        stored = self._world.policies.get(f"{namespace}/{POLICY}")
        return stored.revision if stored else ""

    def _find_tenant(self, namespace: str) -> str:
        meta = self._world.namespaces.get(namespace)
        if meta is None:
            return ""
        name = meta.labels.get(LABEL_TENANT, "")
        kept = self._world.tenants.get(name)
        known = {} if kept is None else {name: kept.value}
        claim = judge_claim(meta, known, self._world.settings.namespace)
        return claim.tenant.name if claim.tenant else ""

    def _tell(self, document: RawDocument, meta: Meta, condition: Condition, count: Count) -> None:
        sidecars = count._asdict()
        there = mapping(document.get("status")).get("sidecars")
        if there == sidecars and same_conditions([condition], document):
            return
        now = now_text(self._clock())
        body = apply_status("Tenant", meta, [condition], document, now, sidecars=sidecars)
        path = f"{object_path('Tenant', meta.name)}/status"
        try:
            self._world.writer.apply(path, body, MANAGER)
        except KubeError as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):  # deleted, or made anew, meanwhile
                raise

    def _tell_all(self, told: dict[str, Any]) -> None:
        """Into mca-status, which `mca status` reads."""
        if not says(self._maps.read(STATUS_MAP).get(STATUS_KEY, ""), told):
            content = json.dumps({**told, "time": now_text(self._clock())}, sort_keys=True)
            self._maps.write(STATUS_MAP, {STATUS_KEY: content})
