"""Owns which namespaces a change concerns: those whose snapshot can be another after it.

Must not compile. The cost of an edit is that of the namespaces it changes: keys that stand for many
are looked up by indexes, once, however many changes there were.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from webhook.controller.engine.world import Kept, World
from webhook.controller.policies.holdings import Holdings
from webhook.resources.claims import needs_policy
from webhook.resources.clusters import Cluster
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import LABEL_BOUNDARY, LABEL_TENANT
from webhook.resources.tenants import Tenant
from webhook.watching.collection import Key
from webhook.watching.store import Change

# No namespace's name has a colon.
ALL: Final = "all:"
_TENANT: Final = "tenant:"
_UID: Final = "uid:"
_CLUSTER: Final = "cluster:"


class Concerns:
    """Keys of the part "policies"."""

    def __init__(self, world: World, holdings: Holdings) -> None:
        self._world = world
        self._holdings = holdings

    def of_namespace(self, change: Change[Meta]) -> Iterator[Key]:
        """Its own; and those of a Tenant that holds one more, or less."""
        key, old, new = change
        before, after = (self._look(meta) for meta in (old, new))
        if before == after:
            return
        yield key
        tenants = {look[0] for look in (before, after) if look and look[0]}
        if len(tenants) > 1 or not before or not after or before[0] != after[0]:
            yield from (f"{_TENANT}{name}" for name in tenants)

    def of_tenant(self, change: Change[Kept[Tenant | Invalid]]) -> Iterator[Key]:
        """All that it holds, or might."""
        key, old, new = change
        if old and new and _tenant_essence(old.value) == _tenant_essence(new.value):
            return
        yield f"{_TENANT}{key}"
        for kept in (old, new):
            if kept is not None:
                yield f"{_UID}{kept.value.meta.uid}"

    def of_cluster(self, change: Change[Kept[Cluster | Invalid]]) -> Iterator[Key]:
        """Those of all Tenants that may use it."""
        key, old, new = change
        if not (old and new and _cluster_essence(old.value) == _cluster_essence(new.value)):
            yield f"{_CLUSTER}{key}"

    def of_authority(self, _: Change[str]) -> Iterator[Key]:
        """Everybody who has to do with the broker."""
        yield ALL

    def expand(self, key: Key) -> Iterable[Key] | None:
        """The namespaces that a key stands for; None if it is one."""
        kind, colon, name = key.partition(":")
        if not colon:
            return None
        if key == ALL:
            return [namespace for namespace, _ in self._world.namespaces.items()]
        if kind == "cluster":
            tenants = self._world.tenants.find("cluster", name)
            return [f"{_TENANT}{tenant}" for tenant in tenants]
        return self._world.namespaces.find(kind, name)

    def group(self, key: Key) -> str:
        """A Tenant's namespaces take turns with those of others.

        First come keys that stand for others: what they add later than a namespace's own turn would
        have it compiled once more.
        """
        meta = self._world.namespaces.get(key)
        return "" if meta is None else meta.labels.get(LABEL_TENANT, key)

    def _look(self, meta: Meta | None) -> tuple[str, str, bool, str, bool] | None:
        """What of a namespace a snapshot depends on; its Tenant first."""
        if meta is None:
            return None
        claim = self._holdings.judge(meta)
        return (
            claim.tenant.name if claim.tenant else "",
            claim.denied,
            needs_policy(meta, self._world.settings.namespace),
            meta.labels.get(LABEL_BOUNDARY, ""),
            meta.deleting,
        )


def _plain(meta: Meta) -> Meta:
    """Without what every write of a status changes, or says nothing here."""
    return meta._replace(
        resource_version="", generation=0, labels={}, annotations={}, finalizers=()
    )


def _tenant_essence(value: Tenant | Invalid) -> Tenant | Invalid:
    return value._replace(meta=_plain(value.meta))


def _cluster_essence(value: Cluster | Invalid) -> Cluster | Invalid:
    """Its labels count by what a snapshot has of them, which is a field of its own."""
    return value._replace(meta=_plain(value.meta))
