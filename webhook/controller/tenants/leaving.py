"""Owns what is looked at while a Tenant leaves a cluster: live, and no more than is needed.

One that waits for something to end is looked at again and again. Must not write.
"""

from typing import Final

from webhook.controller.tenants.ending import Leave, list_staying, plan_leave
from webhook.controller.tenants.kinds import BINDING, KINDS
from webhook.controller.tenants.observing import fetch_namespaces, fetch_objects
from webhook.kube import Kube
from webhook.resources.meta import Meta

_OTHER_KINDS: Final = tuple(kind for kind in KINDS if kind != BINDING)
# Up to here lists by namespace cost the API server less than those of all namespaces by label.
_FEW: Final = 20


def look_at_leave(
    kube: Kube,
    tenant: Meta,
    claimed: tuple[str, ...],
    *,
    delete: bool,
    system_namespace: str,
) -> Leave:
    """Access first: what else there is, is asked only where all of that is gone."""
    namespaces = fetch_namespaces(kube, tenant.name, claimed)
    bindings = fetch_objects(kube, tenant.name, (BINDING,))
    access = plan_leave(
        tenant, namespaces, bindings, delete=False, system_namespace=system_namespace
    )
    if access.waits or not delete:
        return access
    lent = list_staying(tenant, namespaces, system_namespace, delete=True)
    within = tuple(lent) if len(lent) <= _FEW else None
    return plan_leave(
        tenant,
        namespaces,
        fetch_objects(kube, tenant.name, _OTHER_KINDS, within) if lent else {},
        delete=True,
        system_namespace=system_namespace,
    )
