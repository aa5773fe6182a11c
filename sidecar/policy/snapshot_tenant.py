"""Owns the tenant of a snapshot: its namespaces, its permissions, its limits.

A tenant without namespaces or permissions may do nothing: that is how a lost tenant is written.
It must not judge calls.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from sidecar.policy.fields import DNS_LABEL
from sidecar.policy.selector_lists import (
    ALL,
    CONTAINERS,
    GROUPS,
    METHODS,
    NAMES,
    NAMESPACES,
    PATHS,
    RESOURCES,
    SERVICE_ACCOUNTS,
    VERBS,
    read_lists,
)

if TYPE_CHECKING:
    from sidecar.policy.fields import Check

_MAX_NAMESPACES: Final = 1000
_MAX_RULES: Final = 2000
_MAX_RATES: Final = 64
_MAX_CALLS: Final = 1_000_000
_ON_KINDS: Final = {"verbs": VERBS, "groups": GROUPS, "resources": RESOURCES}
_ON_PATHS: Final = {"verbs": METHODS, "nonResourcePaths": PATHS}
_OBJECTS: Final = {"namespaces": NAMESPACES, "names": NAMES}
_CALLERS: Final = {"containers": CONTAINERS, "serviceAccounts": SERVICE_ACCOUNTS}
_RULE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")


class Permission(NamedTuple):
    """One rule of what a tenant's callers may do.

    Every selector is a list, of which one entry must match. Either on resources, or on
    `non_resource_paths` and verbs.
    """

    name: str
    effect: Literal["allow", "deny"]
    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ALL
    names: tuple[str, ...] = ALL
    containers: tuple[str, ...] = ALL
    service_accounts: tuple[str, ...] = ALL
    non_resource_paths: tuple[str, ...] = ()


class ClusterResource(NamedTuple):
    """Objects without a namespace that a tenant may reach."""

    name: str
    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ALL


class Rate(NamedTuple):
    """How often each caller may make such calls: a bucket of `burst`, filled `per_second`."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    per_second: float
    burst: int


class TenantLimits(NamedTuple):
    """For each caller; 0 is "without limit"."""

    concurrent_requests: int = 0
    watches: int = 0
    rates: tuple[Rate, ...] = ()


class Tenant(NamedTuple):
    """A set of namespaces, and what may be done in them."""

    name: str
    mode: Literal["enforce", "audit"]
    namespaces: tuple[str, ...]
    permissions: tuple[Permission, ...]
    cluster_resources: tuple[ClusterResource, ...] = ()
    limits: TenantLimits | None = None


def read_tenant(check: Check, value: object) -> Tenant | None:
    """The tenant, if it is an object with the right fields."""
    required = ("name", "mode", "namespaces", "permissions")
    item = check.fields(value, "tenant", required, ("clusterResources", "limits"))
    if item is None:
        return None
    name = check.label(item["name"], "tenant.name") or ""
    if item["mode"] not in ("enforce", "audit"):
        check.fail("tenant.mode", "must be enforce, or audit to log what enforce would refuse")
    return Tenant(
        name,
        "audit" if item["mode"] == "audit" else "enforce",
        _read_namespaces(check, item["namespaces"]),
        _read_permissions(check, item["permissions"]),
        _read_cluster_resources(check, item.get("clusterResources", [])),
        _read_limits(check, item.get("limits")),
    )


def _read_namespaces(check: Check, value: object) -> tuple[str, ...]:
    def read(item: object, path: str) -> str | None:
        return check.text(item, path, DNS_LABEL, "a namespace's name, not a pattern")

    namespaces = check.items(value, "tenant.namespaces", read, least=0, most=_MAX_NAMESPACES) or ()
    check.unique("tenant.namespaces", "", namespaces)
    return namespaces


def _read_permissions(check: Check, value: object) -> tuple[Permission, ...]:
    def read(item: object, path: str) -> Permission | None:
        return _read_permission(check, item, path)

    found = check.items(value, "tenant.permissions", read, least=0, most=_MAX_RULES) or ()
    check.unique("tenant.permissions", ".name", [permission.name for permission in found])
    return found


def _read_permission(check: Check, value: object, path: str) -> Permission | None:
    on_paths = isinstance(value, dict) and "nonResourcePaths" in value
    subject = _ON_PATHS if on_paths else _ON_KINDS
    optional = _CALLERS if on_paths else {**_OBJECTS, **_CALLERS}
    item = check.fields(value, path, ("name", "effect", *subject), tuple(optional))
    if item is None:
        return None
    name = _read_name(check, item["name"], f"{path}.name")
    if item["effect"] not in ("allow", "deny"):
        check.fail(f"{path}.effect", "must be allow or deny")
    effect: Literal["allow", "deny"] = "allow" if item["effect"] == "allow" else "deny"
    lists = read_lists(check, item, path, {**subject, **optional})
    if on_paths:
        verbs, paths, containers, accounts = lists
        return Permission(name, effect, verbs, (), (), ALL, ALL, containers, accounts, paths)
    return Permission(name, effect, *lists)


def _read_name(check: Check, value: object, path: str) -> str:
    what = "a name of at most 63 lower-case letters, digits, - and ."
    return check.text(value, path, _RULE_NAME, what) or ""


def _read_cluster_resources(check: Check, value: object) -> tuple[ClusterResource, ...]:
    def read(item: object, path: str) -> ClusterResource | None:
        return _read_cluster_resource(check, item, path)

    where = "tenant.clusterResources"
    found = check.items(value, where, read, least=0, most=_MAX_RULES) or ()
    named = tuple(
        resource if resource.name else resource._replace(name=str(index))
        for index, resource in enumerate(found)
    )
    check.unique(where, ".name", [resource.name for resource in named])
    return named


def _read_cluster_resource(check: Check, value: object, path: str) -> ClusterResource | None:
    item = check.fields(value, path, tuple(_ON_KINDS), ("name", "names"))
    if item is None:
        return None
    name = _read_name(check, item["name"], f"{path}.name") if "name" in item else ""
    return ClusterResource(name, *read_lists(check, item, path, {**_ON_KINDS, "names": NAMES}))


def _read_limits(check: Check, value: object) -> TenantLimits | None:
    if value is None:
        return None
    path = "tenant.limits"
    item = check.fields(value, path, (), ("concurrentRequests", "watches", "rates"))
    if item is None:
        return None
    concurrent, watches = (
        check.whole(item.get(key, 0), f"{path}.{key}", 0, _MAX_CALLS) or 0
        for key in ("concurrentRequests", "watches")
    )

    def read(rate: object, where: str) -> Rate | None:
        return _read_rate(check, rate, where)

    rates = check.items(item.get("rates", []), f"{path}.rates", read, least=0, most=_MAX_RATES)
    return TenantLimits(concurrent, watches, rates or ())


def _read_rate(check: Check, value: object, path: str) -> Rate | None:
    item = check.fields(value, path, ("perSecond", "burst"), tuple(_ON_KINDS))
    if item is None:
        return None
    per_second = check.number(item["perSecond"], f"{path}.perSecond", 0.001, _MAX_CALLS) or 0
    burst = check.whole(item["burst"], f"{path}.burst", 1, _MAX_CALLS) or 0
    verbs, groups, resources = read_lists(check, item, path, _ON_KINDS)
    return Rate(verbs, groups, resources, per_second, burst)
