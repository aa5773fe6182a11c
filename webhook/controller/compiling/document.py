"""Owns the form of a snapshot as it is written: its fields, its one spelling, its revision.

Must not judge what stands in it.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from sidecar.policy.fields import DNS_LABEL
from sidecar.policy.snapshot import API_VERSION, KIND, VERSION
from sidecar.policy.verdict import HOME
from webhook.controller.compiling.case import Broker, Case
from webhook.controller.compiling.fitting import canonical
from webhook.resources.clusters import Cluster, token_file
from webhook.resources.meta import RawDocument
from webhook.resources.names import CLOSED, LABEL_TENANT, MEMBERS_FOLDER
from webhook.resources.readings import given
from webhook.resources.routes import list_clusters
from webhook.resources.tenants import Tenant

# As many as a snapshot holds.
MAX_NAMESPACES: Final = 1000

_LOST: Final = "lost"
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
# The sidecar has its own pod's word for where home is; this is what every pod would say.
_HOME_ENTRY: Final[RawDocument] = {
    "name": HOME,
    "server": "https://kubernetes.default.svc:443",
    "caBundle": {"caFile": f"{_ACCOUNT}/ca.crt"},
    "credentials": {"tokenFile": f"{_ACCOUNT}/token"},
}
# Leads nowhere: no pod has these files, and no name ends in .invalid.
_CLOSED_ENTRY: Final[RawDocument] = {
    "name": CLOSED,
    "server": f"https://{CLOSED}.invalid",
    "caBundle": {"caFile": f"{MEMBERS_FOLDER}/{CLOSED}/ca.crt"},
    "credentials": {"tokenFile": token_file(CLOSED)},
}


def build_document(
    namespace: str,
    tenant: RawDocument | None,
    members: Sequence[Cluster] = (),
    routes: Sequence[RawDocument] = (),
    broker: Broker | None = None,
) -> RawDocument:
    """A snapshot without its revision."""
    clusters = [_HOME_ENTRY, *map(_member_entry, members)]
    if any(CLOSED in list_clusters(route["to"]) for route in routes):
        clusters.append(_CLOSED_ENTRY)
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "version": VERSION,
        "revision": "",
        "namespace": namespace,
        "tenant": tenant,
        "clusters": clusters,
        "routes": list(routes),
    }
    if broker is not None:  # sidecars report to it, too
        document["broker"] = {"server": broker.server, "caBundle": broker.ca_bundle}
    return document


def finish_document(document: RawDocument) -> tuple[str, str]:
    """The revision of a document, and its text with that."""
    digest = hashlib.sha256(canonical(document)).hexdigest()
    revision = f"v{VERSION}-{digest[:32]}"
    return revision, canonical({**document, "revision": revision}).decode()


def tenant_entry(tenant: Tenant, namespaces: Sequence[str]) -> RawDocument:
    """A Tenant as it stands in a snapshot."""
    return given(
        name=tenant.name,
        mode=tenant.mode,
        namespaces=list(namespaces),
        permissions=list(tenant.permissions),
        clusterResources=list(tenant.cluster_resources) or None,
        limits=tenant.limits,
    )


def closed_tenant(case: Case) -> RawDocument:
    """One that may do nothing, called as the namespace's label says."""
    name = case.namespace.labels.get(LABEL_TENANT, "")
    if DNS_LABEL.fullmatch(name) is None:
        name = _LOST
    return {"name": name, "mode": "enforce", "namespaces": [], "permissions": []}


def clip_namespaces(case: Case) -> tuple[list[str], tuple[str, ...]]:
    """The tenant's namespaces, this one among them, and what is said where there are too many."""
    own = case.namespace.name
    others = sorted({*case.namespaces} - {own})
    kept = sorted([own, *others[: MAX_NAMESPACES - 1]])
    if len(kept) > len(others):
        return kept, ()
    return kept, (
        f"the Tenant holds more than {MAX_NAMESPACES} namespaces, which is all that sidecars "
        "know at once: make two Tenants of it",
    )


def _member_entry(cluster: Cluster) -> RawDocument:
    return given(
        name=cluster.name,
        server=cluster.server,
        caBundle=cluster.ca_bundle,
        credentials={"broker": True} if cluster.secret else {"tokenFile": token_file(cluster.name)},
        tlsServerName=cluster.tls_server_name or None,
        labels=cluster.labels or None,
        healthCheck=cluster.health_check,
        limits=cluster.limits,
    )
