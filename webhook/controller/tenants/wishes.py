"""Owns what a Tenant wishes to stand in one of its namespaces, object by object. Pure.

Every object has the tenant's label, by which it is watched, and says which Tenant made it. Must not
look at what is there.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from webhook.controller.tenants.contents import render_content
from webhook.controller.tenants.isolation import (
    Surroundings,
    build_policies,
    find_address,
    list_unreachable,
)
from webhook.controller.tenants.kinds import (
    ACCOUNT,
    BINDING,
    LIMITS,
    NETWORK,
    QUOTA,
    Kind,
    Place,
    Step,
)
from webhook.resources.meta import RawDocument
from webhook.resources.names import CREATED_BY, LABEL_TENANT, OUR_LABELS
from webhook.resources.profiles import PREFIX
from webhook.resources.tenants import Owner, Tenant

_RBAC: Final = "rbac.authorization.k8s.io"
_QUOTA_NAME: Final = "mca-quota"
_LIMITS_NAME: Final = "mca-limits"
_CUSTOM_PREFIX: Final = "mca-custom-"


class Wish(NamedTuple):
    """One object as it should be; `content` is what it is compared by."""

    place: Place
    body: RawDocument
    content: str


def list_wishes(
    tenant: Tenant, namespace: str, around: Surroundings, servers: Iterable[str]
) -> list[Wish]:
    """In the order in which they are made: rights come last. `servers` are the members'."""
    return [
        *_wish_bounds(tenant, namespace),
        *_wish_network(tenant, namespace, around, servers),
        *(_make(tenant, ACCOUNT, namespace, name, {}) for name in tenant.service_accounts),
        *_wish_access(tenant, namespace),
    ]


def list_steps(tenant: Tenant) -> set[Step]:
    """What the Tenant asks for at all."""
    asked = {
        Step.NAMESPACES: True,
        Step.QUOTA: bool(tenant.quota),
        Step.LIMITS: bool(tenant.container_limits),
        Step.NETWORK: tenant.network.isolate,
        Step.ACCOUNTS: bool(tenant.service_accounts),
        Step.ACCESS: bool(tenant.owners or tenant.service_accounts),
    }
    return {step for step, wanted in asked.items() if wanted}


def list_names(tenant: Tenant, servers: Iterable[str]) -> list[str]:
    """Members that isolated pods cannot reach as yet: they are known by name only."""
    return list_unreachable(servers) if tenant.network.isolate else []


def _wish_bounds(tenant: Tenant, namespace: str) -> Iterator[Wish]:
    if tenant.quota:
        yield _make(tenant, QUOTA, namespace, _QUOTA_NAME, {"spec": {"hard": dict(tenant.quota)}})
    if tenant.container_limits:
        limits = [{"type": "Container", **item} for item in tenant.container_limits]
        yield _make(tenant, LIMITS, namespace, _LIMITS_NAME, {"spec": {"limits": limits}})


def _wish_network(
    tenant: Tenant, namespace: str, around: Surroundings, servers: Iterable[str]
) -> Iterator[Wish]:
    if not tenant.network.isolate:
        return
    members = [address for address in map(find_address, servers) if address is not None]
    rules = tenant.network
    for name, spec in build_policies(around, members, rules.ingress, rules.egress).items():
        yield _make(tenant, NETWORK, namespace, name, {"spec": spec})


def _wish_access(tenant: Tenant, namespace: str) -> Iterator[Wish]:
    """Owners and the tenant's accounts of this namespace get the profile's rights."""
    accounts = (Owner("ServiceAccount", name, namespace) for name in tenant.service_accounts)
    subjects = [_spell_subject(owner, namespace) for owner in (*tenant.owners, *accounts)]
    if not subjects:
        return
    for name, role in _list_roles(tenant):
        reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
        yield _make(tenant, BINDING, namespace, name, {"roleRef": reference, "subjects": subjects})


def _list_roles(tenant: Tenant) -> list[tuple[str, str]]:
    """Names of RoleBindings and of the ClusterRoles that they bind."""
    if tenant.profile == "custom":
        return [(f"{_CUSTOM_PREFIX}{role}", role) for role in dict.fromkeys(tenant.roles)]
    return [(f"{PREFIX}{tenant.profile}",) * 2]


def _spell_subject(owner: Owner, namespace: str) -> RawDocument:
    if owner.kind == "ServiceAccount":
        return {
            "kind": owner.kind, "name": owner.name, "namespace": owner.namespace or namespace
        }  # fmt: skip
    return {"apiGroup": _RBAC, "kind": owner.kind, "name": owner.name}


def _make(tenant: Tenant, kind: Kind, namespace: str, name: str, rest: RawDocument) -> Wish:
    body = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**OUR_LABELS, LABEL_TENANT: tenant.name},
            "annotations": {CREATED_BY: tenant.uid},
        },
        **rest,
    }
    return Wish(Place(kind, namespace, name), body, render_content(body))
