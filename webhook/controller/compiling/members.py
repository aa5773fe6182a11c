"""Owns which clusters a namespace's snapshot holds, and in which form.

A cluster that cannot be used is not in it, and why is said to whoever asks. Nothing secret goes
into a snapshot: its readers are the tenant's own service accounts. Must not know routes.
"""

from typing import NamedTuple

from sidecar.policy.verdict import HOME
from webhook.controller.compiling.case import Case
from webhook.controller.compiling.verdicts import (
    BOUNDARY_REQUIRED,
    BROKER_UNKNOWN,
    CLUSTER_NOT_ACCEPTED,
    CLUSTER_NOT_ALLOWED,
    CLUSTER_UNKNOWN,
    Verdict,
)
from webhook.resources.clusters import Cluster
from webhook.resources.meta import Invalid
from webhook.resources.names import LABEL_BOUNDARY
from webhook.resources.tenants import Tenant


class Members(NamedTuple):
    """The clusters that may be used, and why others of the tenant's may not."""

    usable: dict[str, Cluster]
    unusable: dict[str, Verdict]

    def judge(self, name: str, tenant: Tenant) -> Verdict | None:
        """Why a route may not name this cluster."""
        if name == HOME or name in self.usable:
            return None
        # Of a cluster that is not the tenant's nothing is told, not even whether it is there.
        allowed = ", ".join((HOME, *tenant.clusters))
        return self.unusable.get(name) or Verdict(
            False,
            CLUSTER_NOT_ALLOWED,
            f"the Tenant {tenant.name!r} may use {allowed}, not {name!r}: "
            "name one of these, or ask an admin to add it to spec.clusters",
        )


def choose_members(tenant: Tenant, case: Case) -> Members:
    """Sort the tenant's clusters into those that may be used from this namespace and others."""
    members = Members({}, {})
    for name in tenant.clusters:
        if name == HOME:
            continue
        cluster = case.clusters.get(name)
        if cluster is None or isinstance(cluster, Invalid) or not cluster.accepted:
            members.unusable[name] = _unfit(name, cluster)
            continue
        verdict = _judge_broker(cluster, case) if cluster.secret else None
        if verdict is None:
            members.usable[name] = cluster
        else:
            members.unusable[name] = verdict
    return members


def _unfit(name: str, cluster: Cluster | Invalid | None) -> Verdict:
    if cluster is None:
        return Verdict(False, CLUSTER_UNKNOWN, f"there is no Cluster {name!r}: register it")
    return Verdict(
        False,
        CLUSTER_NOT_ACCEPTED,
        f"the Cluster {name!r} is not accepted: its status says why (kubectl get clusters.mca.io)",
    )


def _judge_broker(cluster: Cluster, case: Case) -> Verdict | None:
    """The broker hands credentials to pods of enforced namespaces only."""
    if case.namespace.labels.get(LABEL_BOUNDARY) != "enforced":
        return Verdict(
            False,
            BOUNDARY_REQUIRED,
            f"credentials of the Cluster {cluster.name!r} are handed only to namespaces with the "
            f"label {LABEL_BOUNDARY}=enforced: an admin sets it",
        )
    if case.broker is None:
        return Verdict(
            False,
            BROKER_UNKNOWN,
            f"credentials of the Cluster {cluster.name!r} come from the broker, "
            "whose certificates are not known yet: wait a moment",
        )
    return None
