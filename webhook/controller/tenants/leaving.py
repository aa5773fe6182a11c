"""Owns what is looked at while a Tenant leaves a cluster: live, and no more than is needed.

One that waits for something to end is looked at again and again. Must not write.
"""

from typing import Final

from webhook.answers import TOO_MANY
from webhook.controller.tenants.ending import Leave, list_staying, plan_leave
from webhook.controller.tenants.kinds import BINDING, KINDS
from webhook.controller.tenants.observing import fetch_namespaces
from webhook.controller.tenants.sight import Sight, fetch_objects, look_for_objects
from webhook.kube import Kube, KubeError
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
    sight = look_for_objects(kube, tenant, namespaces, (BINDING,))
    access = plan_leave(
        tenant, namespaces, sight.objects, delete=False, system_namespace=system_namespace
    )
    if access.waits or not delete:
        return _end(access, sight)
    lent = list_staying(tenant, namespaces, system_namespace, delete=True)
    rest = _look_for_rest(kube, tenant, lent)
    leave = plan_leave(
        tenant, namespaces, rest.objects, delete=True, system_namespace=system_namespace
    )
    return _end(leave, Sight(rest.objects, (*sight.unseen, *rest.unseen)))


def _look_for_rest(kube: Kube, tenant: Meta, lent: frozenset[str]) -> Sight:
    if not lent:
        return Sight({})
    if len(lent) <= _FEW:
        return Sight(fetch_objects(kube, tenant.name, _OTHER_KINDS, tuple(lent)))
    return look_for_objects(kube, tenant, lent, _OTHER_KINDS)


def _end(leave: Leave, sight: Sight) -> Leave:
    """KubeError: what is known of is gone, but not all could be looked through."""
    if sight.unseen and not leave.waits:
        raise KubeError(0, TOO_MANY, "; ".join(sight.unseen))
    return leave
