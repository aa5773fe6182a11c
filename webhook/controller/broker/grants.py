"""Owns who may have a credential for which member: by the pod, its namespace, its Tenant.

All of it is as it was read a moment ago. Must not fetch, and must not grant where anything is in
doubt.
"""

from typing import Final

from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.reviews import Identity
from webhook.enforcement.injected import Trust, list_doubts
from webhook.resources.claims import judge_claim
from webhook.resources.clusters import ACCEPTED, Audience, Cluster, parse_cluster
from webhook.resources.conditions import read_conditions
from webhook.resources.meta import Invalid, RawDocument, mapping, read_meta
from webhook.resources.names import LABEL_BOUNDARY, LABEL_TENANT
from webhook.resources.tenants import Tenant, parse_tenant

ENFORCED: Final = "enforced"
_FINISHED: Final = ("Succeeded", "Failed")
_ASK: Final = "ask the admin of MCA"


def judge_existence(pod: RawDocument | None, identity: Identity) -> RawDocument:
    """The pod that the token is bound to, if it is there and has not finished."""
    if pod is None:
        raise RefusedError("pod", "the pod of this token is not there any more")
    meta = read_meta(pod)
    if (meta.namespace, meta.name) != (identity.namespace, identity.pod):
        raise RefusedError("pod", "the pod of this token is another")
    if meta.uid != identity.pod_uid:
        raise RefusedError("pod", "the pod of this token is gone, another has its name")
    if mapping(pod.get("status")).get("phase") in _FINISHED:
        raise RefusedError("pod", "the pod of this token has finished")
    return pod


def judge_pod(pod: RawDocument | None, identity: Identity, trust: Trust) -> None:
    """Whether it has the sidecar as MCA puts it in, and nobody else can reach the token."""
    found = judge_existence(pod, identity)
    if mapping(found.get("spec")).get("serviceAccountName") != identity.account:
        raise RefusedError("pod", "the pod of this token has another service account")
    doubts = list_doubts(found, trust)
    if doubts:
        message = "the pod is not as injection makes pods: restart it; mca check says more"
        raise RefusedError("not-injected", message, told="; ".join(doubts))


def judge_boundary(namespace: RawDocument | None) -> RawDocument:
    """Elsewhere whoever may create tokens could make one for a pod's account, with our audience."""
    labels = read_meta(namespace or {}).labels
    if namespace is None or labels.get(LABEL_BOUNDARY) != ENFORCED:
        told = f"has not the label {LABEL_BOUNDARY}={ENFORCED}: {_ASK}"
        raise RefusedError("boundary", f"the namespace {told}")
    return namespace


def find_tenant_name(namespace: RawDocument) -> str:
    """Which Tenant to look for; "" for none."""
    return read_meta(namespace).labels.get(LABEL_TENANT, "")


def judge_holder(
    namespace: RawDocument, tenant: RawDocument | None, system_namespace: str
) -> Tenant:
    """The Tenant that holds the namespace, by what both say."""
    parsed = None if tenant is None else parse_tenant(tenant)
    tenants = {} if parsed is None else {parsed.name: parsed}
    claim = judge_claim(read_meta(namespace), tenants, system_namespace)
    if claim.denied or claim.tenant is None:
        message = f"the namespace belongs to no Tenant: {_ASK}"
        raise RefusedError("tenant", message, told=claim.denied)
    if claim.to_claim:
        raise RefusedError("not-ready", "the namespace is being given to its Tenant")
    return claim.tenant


def judge_cluster(name: str, document: RawDocument | None, tenant: Tenant) -> Cluster:
    """The Cluster, if it is the tenant's, in order, and its credentials come from here."""
    if name not in tenant.clusters:
        message = f"the Tenant {tenant.name!r} has no cluster {name!r} in spec.clusters: {_ASK}"
        raise RefusedError("cluster", message)
    if document is None:
        raise RefusedError("cluster", f"there is no Cluster {name!r}: {_ASK}")
    cluster = parse_cluster(document)
    accepted = read_conditions(document).get(ACCEPTED)
    if cluster.meta.deleting:
        raise RefusedError("cluster", f"the Cluster {name!r} is being removed")
    if accepted is None or accepted.observed_generation != cluster.meta.generation:
        raise RefusedError("not-ready", f"the Cluster {name!r} is being looked at")
    if isinstance(cluster, Invalid) or accepted.status is not True:
        message = f"the Cluster {name!r} is not accepted, its status says why: {_ASK}"
        raise RefusedError("cluster", message, told=accepted.reason)
    if isinstance(cluster.credentials, Audience):
        told = "restart the pod, it then has a token for it"
        raise RefusedError("cluster", f"for the Cluster {name!r} nothing is handed out: {told}")
    return cluster
