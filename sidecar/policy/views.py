"""Owns the rules as one caller meets them in one namespace, for those who list what is allowed.

What is left out is not told of; nothing is told that is not so. It must not decide calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.globs import pattern_matches
from sidecar.policy.requestinfo import SELF_REVIEWS
from sidecar.policy.reserved import RESERVED, STAYS_HOME
from sidecar.policy.rules import Grant, View
from sidecar.policy.selector_lists import ALL
from sidecar.policy.verdict import HOME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidecar.policy.decide import Policy
    from sidecar.policy.routing import Routing
    from sidecar.policy.scopes import Scopes
    from sidecar.policy.snapshot_routes import Match
    from sidecar.policy.snapshot_tenant import Permission, Tenant
    from sidecar.policy.tenancy import Tenancy
    from sidecar.policy.verdict import Caller

_OPEN_PATHS: Final = (
    "/",
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
)
_FOR_ALL: Final = (
    Grant("default/discovery", ("get", "head"), paths=_OPEN_PATHS),
    *(
        Grant("default/self-review", ("create",), (group,), (resource,))
        for resource, group in SELF_REVIEWS.items()
    ),
)
_RESERVED: Final = tuple(
    Grant("default/deny", verbs, (group,), resources) for group, resources, verbs in RESERVED
)


def rules_view(policy: Policy, scopes: Scopes, caller: Caller, namespace: str) -> View:
    """The view for a rules review."""
    return view_of(policy.tenancy, policy.routing, scopes, caller, namespace)


def view_of(
    tenancy: Tenancy | None, routing: Routing | None, scopes: Scopes, caller: Caller, namespace: str
) -> View:
    """Policy as this caller meets it in this namespace; "" is all of them."""
    tenant = None if tenancy is None else tenancy.tenant
    kinds = scopes.kinds_of(HOME)
    return View(
        None if tenant is None else tuple(_list_allows(tenant, caller, namespace)),
        (
            *(() if tenant is None else _list_denies(tenant, caller, namespace)),
            *(() if routing is None else _list_routes(routing, caller, namespace)),
        ),
        _RESERVED,
        lambda group, resource: kinds.get((group, resource)),
        STAYS_HOME,
    )


def _list_allows(tenant: Tenant, caller: Caller, namespace: str) -> Iterator[Grant]:
    yield from _FOR_ALL
    within = namespace in tenant.namespaces
    if tenant.mode == "audit":
        yield Grant("default/audit", ALL, paths=ALL)
        if within:
            yield Grant("default/audit", ALL, ALL, ALL, namespaced=True)
    for found in tenant.permissions:
        if found.effect == "allow" and _is_for(found, caller):
            yield from _list_reviews(found)
            if found.non_resource_paths:
                yield _on_paths(found)
            elif within and _matches(found.namespaces, namespace):
                yield _on_kinds(found)._replace(namespaced=True)
    for resource in tenant.cluster_resources:
        yield Grant(
            f"clusterResource/{resource.name}",
            resource.verbs,
            resource.groups,
            resource.resources,
            resource.names,
            namespaced=False,
        )


def _list_reviews(permission: Permission) -> Iterator[Grant]:
    """Reviews have no namespace, and a permission that names them is enough."""
    for group, resources, _ in RESERVED[:2]:
        named = tuple(kind for kind in resources if kind in permission.resources)
        if named and group in permission.groups:
            yield _on_kinds(permission)._replace(groups=(group,), resources=named)


def _list_denies(tenant: Tenant, caller: Caller, namespace: str) -> Iterator[Grant]:
    if tenant.mode == "audit":
        return
    for found in tenant.permissions:
        if found.effect == "allow" or not _is_for(found, caller):
            continue
        if found.non_resource_paths:
            yield _on_paths(found)
            continue
        if _matches(found.namespaces, namespace):
            yield _on_kinds(found)
        yield from _on_namespaces(found, _on_kinds(found))


def _list_routes(routing: Routing, caller: Caller, namespace: str) -> Iterator[Grant]:
    """In the order in which they count: what a route keeps at home, none behind it takes away."""
    for match, route in routing.rows:
        if not _is_for(match, caller):
            continue
        cluster = route.members[0].cluster
        grant = Grant(
            f"route/{route.name}",
            match.verbs,
            match.groups,
            match.resources,
            match.names,
            cluster="" if cluster == HOME else cluster,
            at_home=cluster == HOME,
        )
        if _matches(match.namespaces, namespace):
            yield grant
        if not grant.at_home:
            yield from _on_namespaces(match, grant)


def _on_kinds(permission: Permission) -> Grant:
    return Grant(
        f"permission/{permission.name}",
        permission.verbs,
        permission.groups,
        permission.resources,
        permission.names,
    )


def _on_namespaces(rule: Permission | Match, grant: Grant) -> Iterator[Grant]:
    """A namespace stands in itself: a rule for some namespaces is about some of these objects."""
    if not {"namespaces", "*"}.isdisjoint(rule.resources) and rule.namespaces != ALL:
        yield grant._replace(resources=("namespaces",), names=rule.namespaces)


def _on_paths(permission: Permission) -> Grant:
    rule = f"permission/{permission.name}"
    return Grant(rule, permission.verbs, paths=permission.non_resource_paths)


def _is_for(rule: Permission | Match, caller: Caller) -> bool:
    return _matches(rule.containers, caller.container) and _matches(
        rule.service_accounts, caller.service_account
    )


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return any(pattern_matches(pattern, text) for pattern in patterns)
