"""Owns what a part is given: the API server, the stores, the settings, whom to tell.

Must not decide anything. Stores are made before any reflector begins, so that no index or listener
misses an object.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry

from webhook.controller.engine.events import Recorder
from webhook.controller.engine.settings import ControllerSettings
from webhook.kube import Kube, RawDocument
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.meta import Invalid, Meta, read_meta
from webhook.resources.names import (
    CLUSTERS_PATH,
    CREATED_BY,
    LABEL_TENANT,
    NAMESPACES_PATH,
    OUR_PREFIX,
    POD_SECURITY,
    POLICY,
    TENANT_UID,
    TENANTS_PATH,
)
from webhook.resources.policy_objects import Stored, keep_map
from webhook.resources.tenants import Tenant, parse_tenant
from webhook.watching.collection import Collection
from webhook.watching.reflector import Reflector, WatchTally
from webhook.watching.store import Store

T = TypeVar("T")
MAPS: Final = "/api/v1/configmaps"
_NOTES: Final[tuple[str, ...]] = (TENANT_UID, CREATED_BY)
_LONGEST_UID: Final = 64
_POLICIES: Final = (("fieldSelector", f"metadata.name={POLICY}"),)


class Kept(NamedTuple, Generic[T]):
    """An object as it is, for who writes it again, and what it says."""

    document: RawDocument
    value: T


class World:
    """One process's. A part reads by `kube`, and writes by `writer`, which ends with the Lease."""

    def __init__(
        self,
        kube: Kube,
        settings: ControllerSettings,
        registry: CollectorRegistry,
        leads: Callable[[], bool],
    ) -> None:
        self.kube: Final = kube
        self.writer: Final = kube.writing_while(leads)
        self.settings: Final = settings
        self.registry: Final = registry
        self.leads: Final = leads
        self.events: Final = Recorder(kube, settings.identity)
        self._followed: list[tuple[Collection[Any], Store[Any]]] = []
        self.namespaces: Final[Store[Meta]] = self.follow(
            Collection(NAMESPACES_PATH, keep_namespace)
        )
        self.clusters: Final[Store[Kept[Cluster | Invalid]]] = self.follow(
            Collection(CLUSTERS_PATH, _keeping(parse_cluster))
        )
        self.tenants: Final[Store[Kept[Tenant | Invalid]]] = self.follow(
            Collection(TENANTS_PATH, _keeping(parse_tenant))
        )
        self.policies: Final[Store[Stored]] = self.follow(Collection(MAPS, keep_map, _POLICIES))
        self.namespaces.add_index("tenant", lambda _, meta: _word(meta.labels, LABEL_TENANT))
        self.namespaces.add_index("uid", lambda _, meta: _word(meta.annotations, TENANT_UID))
        self.tenants.add_index("uid", lambda _, kept: (kept.value.meta.uid,))
        self.tenants.add_index("cluster", lambda _, kept: _list_clusters(kept.value))

    def follow(self, collection: Collection[T]) -> Store[T]:
        """One more store; its reflector begins with all others."""
        store: Store[T] = Store()
        self._followed.append((collection, store))
        return store

    def start(self, tally: WatchTally) -> None:
        """Begin to fill the stores, and to write Events."""
        self.events.start()
        for collection, store in self._followed:
            Reflector(self.kube, collection, store, tally).start()

    def list_lacking(self) -> tuple[str, ...]:
        """What has not been read yet."""
        return tuple(kind.resource for kind, store in self._followed if not store.synced)


def keep_namespace(document: RawDocument) -> Meta:
    """Without what changes and concerns nobody here: who may make one may fill it with words."""
    meta = read_meta(document)
    labels = {key: text for key, text in meta.labels.items() if _is_kept(key)}
    # A text that was cut is nobody's uid, but that there is one counts.
    notes = {key: meta.annotations[key][:_LONGEST_UID] for key in _NOTES if key in meta.annotations}
    return Meta(meta.name, uid=meta.uid, labels=labels, annotations=notes, deleting=meta.deleting)


def _is_kept(label: str) -> bool:
    return label.startswith(OUR_PREFIX) or label == POD_SECURITY


def _keeping(parse: Callable[[RawDocument], T]) -> Callable[[RawDocument], Kept[T]]:
    def keep(document: RawDocument) -> Kept[T]:
        document.get("metadata", {}).pop("managedFields", None)
        return Kept(document, parse(document))

    return keep


def _word(entries: dict[str, str], key: str) -> Iterable[str]:
    return (entries[key],) if key in entries else ()


def _list_clusters(tenant: Tenant | Invalid) -> Iterable[str]:
    return () if isinstance(tenant, Invalid) else tenant.clusters
