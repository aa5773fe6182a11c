"""Owns what is told of all sidecars: how many of each Tenant run an old snapshot.

By the leader alone, by what all replicas have published. Must not write what is there already.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from webhook.controller.broker.counts import (
    Count,
    add_up,
    count_namespaces,
    group_by_tenant,
    merge_reports,
    read_time,
)
from webhook.controller.broker.publishing import REFRESH_S
from webhook.controller.broker.recency import Recency
from webhook.controller.broker.status_map import (
    MANAGER,
    STATUS_KEY,
    StatusMap,
    select_replicas,
)
from webhook.controller.engine.world import World
from webhook.kube import KubeError, RawDocument
from webhook.resources.claims import judge_claim
from webhook.resources.conditions import Condition, apply_status, now_text, same_conditions
from webhook.resources.meta import Meta, mapping
from webhook.resources.names import LABEL_TENANT, POLICY, object_path

CONDITION: Final = "SidecarsCurrent"
EVERY_S: Final = 5.0
# After a change of what is followed, sidecars follow and say so. Then nothing changes by itself,
# but that a replica is gone.
_FOLLOWED_S: Final = 40.0
_RECOUNT_S: Final = 60.0
# A replica that has not written for so long is gone; what it had heard is told to another by now.
_GONE_S: Final = 3 * REFRESH_S
_SHOWN: Final = 3
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404


class Counting:
    """Counts again each time that it is called and something may have changed."""

    def __init__(self, world: World, clock: Callable[[], float] = time.time) -> None:
        self._world = world
        self._clock = clock
        self._status_map = StatusMap(world.writer, world.settings.namespace)
        self._recency = Recency(self._find_revision, clock)
        self._changed = True
        self._busy_until = 0.0
        self._counted: tuple[Mapping[str, str], float] | None = None
        world.policies.listen(self._hear)
        world.namespaces.listen(self._hear)
        world.tenants.listen(self._hear)

    def reconcile(self, _key: str) -> float:
        """All of it; when to come again."""
        data, now = self._status_map.read(), self._clock()
        if self._changed:
            self._changed = False
            self._busy_until = now + _FOLLOWED_S
        if self._counted is not None and now >= self._busy_until:
            seen, at = self._counted
            if seen == data and now < at + _RECOUNT_S:
                return EVERY_S
        self._counted = None
        self._count(data)
        self._counted = (data, now)
        return EVERY_S

    def _hear(self, _: object) -> None:
        self._changed = True

    def _count(self, data: Mapping[str, str]) -> None:
        published = select_replicas(data)
        gone = set(self._list_gone(published))
        merged = merge_reports(text for key, text in published.items() if key not in gone)
        namespaces = count_namespaces(merged, self._recency.find)
        held = group_by_tenant(namespaces, self._find_tenant)
        sums = {name: add_up(counts) for name, counts in held.items()}
        self._tell_all(data.get(STATUS_KEY, ""), namespaces, sums, gone)
        failed: KubeError | None = None
        for name, kept in self._world.tenants.items():
            counts = held.get(name, {})
            condition = describe(counts, kept.value.meta.generation)
            try:
                self._tell(kept.document, kept.value.meta, condition, add_up(counts))
            except KubeError as error:  # the others are told all the same
                failed = error
        if failed is not None:
            raise failed

    def _list_gone(self, published: Mapping[str, str]) -> Iterable[str]:
        """Replicas that have not written for long: they write again while they hear anything."""
        before = self._clock() - _GONE_S
        return (key for key, text in published.items() if read_time(text) < before)

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

    def _tell_all(
        self,
        there: str,
        namespaces: dict[str, Count],
        tenants: dict[str, Count],
        gone: set[str],
    ) -> None:
        """Into mca-status, which `mca status` reads."""
        told = {
            "version": 1,
            "tenants": {name: count._asdict() for name, count in tenants.items()},
            "namespaces": {
                name: {**count._asdict(), "revision": self._find_revision(name)}
                for name, count in namespaces.items()
            },
        }
        if gone or not says(there, told):
            content = json.dumps({**told, "time": now_text(self._clock())}, sort_keys=True)
            self._status_map.write({STATUS_KEY: content, **dict.fromkeys(gone)})


def says(text: str, told: Mapping[str, object]) -> bool:
    """Whether this is what stands there, whenever it was written."""
    try:
        found = mapping(json.loads(text))
    except (ValueError, RecursionError):
        return False
    return {key: value for key, value in found.items() if key != "time"} == told


def describe(counts: Mapping[str, Count], generation: int) -> Condition:
    """The condition of a Tenant, by its namespaces."""
    count = add_up(counts)
    if not count.total:
        return Condition(CONDITION, True, "NoSidecars", "no sidecar has reported", generation)
    if not count.old:
        message = f"all {count.total} run the snapshot of their namespace"
        return Condition(CONDITION, True, "Current", message, generation)
    worst = sorted(
        (name for name in counts if counts[name].old), key=lambda name: (-counts[name].old, name)
    )
    shown = ", ".join(f"{name} ({counts[name].old})" for name in worst[:_SHOWN])
    more = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
    message = (
        f"{count.old} of {count.total} run an older snapshot, in {shown}{more}: their logs say why"
    )
    return Condition(CONDITION, False, "SomeOld", message, generation)
