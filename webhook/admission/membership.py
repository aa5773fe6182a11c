"""Owns which members the pods of a namespace get tokens for: those of its Tenant that are accepted.

It follows Tenants, Clusters and namespaces, a few words of each. Must not look at a pod, nor hold a
review up: what was last seen counts. A pod that was made a moment before its Tenant named a cluster
has no token for that, and its sidecar says so.
"""

from webhook.admission.provision import Member, Members
from webhook.kube import Kube, RawDocument
from webhook.resources.claims import judge_claim
from webhook.resources.clusters import ACCEPTED, parse_cluster
from webhook.resources.conditions import is_true
from webhook.resources.meta import Invalid, Meta, read_meta
from webhook.resources.names import (
    CLUSTERS_PATH,
    LABEL_TENANT,
    NAMESPACES_PATH,
    OUR_PREFIX,
    TENANT_UID,
    TENANTS_PATH,
)
from webhook.resources.tenants import Tenant, parse_tenant
from webhook.watching.collection import Collection
from webhook.watching.reflector import Reflector
from webhook.watching.store import Store


class Membership:
    """Of one cluster's Tenants. `lacks` says why nobody can be asked yet."""

    def __init__(self, system_namespace: str) -> None:
        self._system_namespace = system_namespace
        self.tenants: Store[Tenant | Invalid] = Store()
        self.clusters: Store[Member] = Store()
        self.namespaces: Store[Meta] = Store()

    def follow(self, kube: Kube) -> None:
        """Keep up with them, in threads that end with the process."""
        tenants: Collection[Tenant | Invalid] = Collection(TENANTS_PATH, keep_tenant, optional=True)
        clusters = Collection(CLUSTERS_PATH, keep_member, optional=True)
        Reflector(kube, tenants, self.tenants).start()
        Reflector(kube, clusters, self.clusters).start()
        Reflector(kube, Collection(NAMESPACES_PATH, keep_namespace), self.namespaces).start()

    @property
    def lacks(self) -> str:
        """Before all three are there, a pod could go without its tokens."""
        stores = {
            "Tenants": self.tenants.synced,
            "Clusters": self.clusters.synced,
            "namespaces": self.namespaces.synced,
        }
        missing = [name for name, synced in stores.items() if not synced]
        return f"the list of {' and '.join(missing)} is not there yet" if missing else ""

    def find(self, namespace: str) -> Members:
        """Of this namespace's pods, by name."""
        meta = self.namespaces.get(namespace)
        if meta is None:
            return ()
        named = self.tenants.get(meta.labels.get(LABEL_TENANT, ""))
        tenants = {} if named is None else {named.name: named}
        tenant = judge_claim(meta, tenants, self._system_namespace).tenant
        if tenant is None:
            return ()
        found = map(self.clusters.get, sorted(tenant.clusters))
        return tuple(member for member in found if member is not None)


def keep_tenant(document: RawDocument) -> Tenant | Invalid:
    """Whom it selects, and its clusters."""
    tenant = parse_tenant(document)
    meta = Meta(tenant.name, uid=tenant.meta.uid, deleting=tenant.meta.deleting)
    if isinstance(tenant, Invalid):
        return Invalid(meta, tenant.problems[:1])
    return Tenant(meta, namespaces=tenant.namespaces, clusters=tenant.clusters)


def keep_member(document: RawDocument) -> Member | None:
    """Nothing of a Cluster that is not accepted, or whose credentials come from the broker.

    What was accepted before an edit counts: an audience never changes, and a pod that is made in
    the moment until the edit is judged would lack its token for good.
    """
    cluster = parse_cluster(document)
    if isinstance(cluster, Invalid) or not cluster.audience or not is_true(document, ACCEPTED):
        return None
    return Member(
        cluster.name,
        cluster.server,
        cluster.ca_digest,
        cluster.audience,
        cluster.tls_server_name,
    )


def keep_namespace(document: RawDocument) -> Meta | None:
    """Nothing of one that no Tenant holds."""
    meta = read_meta(document)
    labels = {key: text for key, text in meta.labels.items() if key.startswith(OUR_PREFIX)}
    claimed = {key: text for key, text in meta.annotations.items() if key == TENANT_UID}
    if LABEL_TENANT not in labels and not claimed:
        return None
    return Meta(meta.name, labels=labels, annotations=claimed)
