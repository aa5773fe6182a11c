"""Owns what is odd in a valid snapshot: rules that can never match, or never count.

Must not judge calls, nor warn of what only might be wrong: each finding is sure, as far as kinds
are those built into Kubernetes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sidecar.policy.globs import pattern_matches
from sidecar.policy.index import Row, first_rule
from sidecar.policy.requestinfo import SELF_REVIEWS
from sidecar.policy.reserved import RESERVED
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.snapshot_routes import Match, Route
from sidecar.policy.snapshot_tenant import Permission, Tenant
from webhook.cli.policy.covering import Covering, PathCovering
from webhook.cli.policy.kinds import list_built_in

_ANY = "*"
_PROXIES = frozenset({"pods/proxy", "services/proxy", "nodes/proxy"})
# What a wildcard does not take: no rule with one hides a rule that names these.
_RESERVED = frozenset((group, kind) for group, kinds, _ in RESERVED for kind in kinds)
_WHOLLY_RESERVED = frozenset(
    kind for _, kinds, verbs in RESERVED if _ANY in verbs for kind in kinds
)
_STAYING_HOME = _RESERVED | {
    ("coordination.k8s.io", "leases"),
    ("", "events"),
    ("events.k8s.io", "events"),
}


class Finding(NamedTuple):
    """What is odd, and where: a path into the JSON."""

    path: str
    message: str


def find_oddities(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Everything that can be told without a cluster."""
    tenant = snapshot.tenant
    found: list[Finding] = []
    if tenant is not None:
        found += _find_in_tenant(tenant)
        found += _find_hidden(tenant, _on_kinds(tenant), _cover_kinds)
        found += _find_hidden(tenant, _on_paths(tenant), _cover_paths)
        for number in _on_kinds(tenant):
            found += _find_in_permission(tenant, number)
        found += _find_in_cluster_resources(tenant)
    found += _find_in_routes(snapshot.routes, tenant)
    return tuple(sorted(found, key=_place))


def _place(finding: Finding) -> list[tuple[int, str]]:
    """By path, with numbers as numbers."""
    parts = re.split(r"([0-9]+)", finding.path)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def _find_in_tenant(tenant: Tenant) -> Iterator[Finding]:
    if not tenant.namespaces:
        yield Finding("tenant.namespaces", "is empty: every call on a namespace is denied")
    allows = any(permission.effect == "allow" for permission in tenant.permissions)
    if not allows and not tenant.cluster_resources:
        yield Finding("tenant.permissions", "allows nothing: what is not allowed is denied")


def _on_kinds(tenant: Tenant) -> list[int]:
    every = enumerate(tenant.permissions)
    return [number for number, found in every if not found.non_resource_paths]


def _on_paths(tenant: Tenant) -> list[int]:
    every = enumerate(tenant.permissions)
    return [number for number, found in every if found.non_resource_paths]


def _find_hidden(
    tenant: Tenant, numbers: list[int], cover: Callable[[list[Permission]], list[int]]
) -> Iterator[Finding]:
    """Permissions that others leave nothing to do."""
    permissions = [tenant.permissions[number] for number in numbers]
    denies = sum(1 << at for at, found in enumerate(permissions) if found.effect == "deny")
    for at, wider in enumerate(cover(permissions)):
        permission, path = permissions[at], f"tenant.permissions[{numbers[at]}]"
        allows = permission.effect == "allow"
        if allows and wider & denies:
            name = permissions[first_rule(wider & denies)].name
            yield Finding(path, f"never allows anything: {name!r} denies all of it")
            continue
        before = wider & ((1 << at) - 1) & (~denies if allows else denies)
        for other in _numbers(before):
            if not allows or _names_all(permissions[other], permission, _RESERVED):
                does = "allows" if allows else "denies"
                what = f"{permissions[other].name!r} {does} all of it"
                yield Finding(path, f"adds nothing: {what}")
                break


def _cover_kinds(permissions: list[Permission]) -> list[int]:
    rows = [_row(permission) for permission in permissions]
    if not rows:
        return []
    covering = Covering(rows)
    return [covering.find(row) for row in rows]


def _cover_paths(permissions: list[Permission]) -> list[int]:
    lists = [
        (found.verbs, found.non_resource_paths, found.containers, found.service_accounts)
        for found in permissions
    ]
    if not lists:
        return []
    covering = PathCovering(lists)
    return [covering.find(row) for row in lists]


def _find_in_permission(tenant: Tenant, number: int) -> Iterator[Finding]:
    permission, path = tenant.permissions[number], f"tenant.permissions[{number}]"
    yield from _find_outside(f"{path}.namespaces", permission.namespaces, tenant)
    if permission.effect == "deny":
        return
    for at, resource in enumerate(permission.resources):
        where = f"{path}.resources[{at}]"
        if resource in _PROXIES:
            yield Finding(where, "is never allowed: guard/proxy denies it whatever rules say")
        elif resource in _WHOLLY_RESERVED:
            if set(permission.groups) == {_ANY}:
                what = "is never allowed so: groups must name its group, * is not enough"
                yield Finding(where, what)
        elif resource not in SELF_REVIEWS and _has_namespaces(permission.groups, resource) is False:
            yield Finding(
                where,
                "is never allowed here, it has no namespaces: name it in tenant.clusterResources",
            )


def _find_in_cluster_resources(tenant: Tenant) -> Iterator[Finding]:
    denies = [
        found
        for found in tenant.permissions
        if found.effect == "deny" and not found.non_resource_paths
    ]
    covering = Covering([_row(found) for found in denies]) if denies else None
    for number, rule in enumerate(tenant.cluster_resources):
        path = f"tenant.clusterResources[{number}]"
        row = Row(rule.verbs, rule.groups, rule.resources, names=rule.names)
        wider = 0 if covering is None else covering.find(row)
        if wider:
            name = denies[first_rule(wider)].name
            yield Finding(path, f"never allows anything: {name!r} denies all of it")
        for at, resource in enumerate(rule.resources):
            if _has_namespaces(rule.groups, resource):
                yield Finding(
                    f"{path}.resources[{at}]",
                    "is never allowed here, it has namespaces: name it in tenant.permissions",
                )


def _find_in_routes(routes: Sequence[Route], tenant: Tenant | None) -> Iterator[Finding]:
    """In the order in which they count."""
    ordered = sorted(enumerate(routes), key=lambda item: -item[1].priority)
    places = [
        (f"routes[{number}].match[{at}]", route, match)
        for number, route in ordered
        for at, match in enumerate(route.match)
    ]
    rows = [_row(match) for _, _, match in places]
    covering = Covering(rows) if rows else None
    for at, (path, route, match) in enumerate(places):
        wider = 0 if covering is None else covering.find(rows[at])
        for other in _numbers(wider & ((1 << at) - 1)):
            _, first, wide = places[other]
            if _names_all(wide, match, _STAYING_HOME):
                which = "another match of it" if first is route else f"the route {first.name!r}"
                yield Finding(path, f"never counts: {which} comes first and takes all of it")
                break
        if tenant is not None:
            yield from _find_outside(f"{path}.namespaces", match.namespaces, tenant)


def _find_outside(path: str, namespaces: Sequence[str], tenant: Tenant) -> Iterator[Finding]:
    """Entries that match none of the tenant's namespaces, where it has any."""
    if not tenant.namespaces:
        return
    for at, pattern in enumerate(namespaces):
        if not any(pattern_matches(pattern, name) for name in tenant.namespaces):
            whose = f"of the tenant {tenant.name!r}"
            yield Finding(f"{path}[{at}]", f"never matches: {pattern!r} is no namespace {whose}")


def _has_namespaces(groups: Sequence[str], resource: str) -> bool | None:
    """Whether the built-in kinds of this name have; None: some do, or there is another kind."""
    known = list_built_in()
    found = [known.get((group, resource.partition("/")[0])) for group in groups]
    scopes = {None if kind is None else kind.namespaced for kind in found}
    return scopes.pop() if len(scopes) == 1 else None


def _names_all(
    wide: Permission | Match, narrow: Permission | Match, special: frozenset[tuple[str, str]]
) -> bool:
    """Whether the wide rule names all of the special kinds that the narrow one names."""
    return _named(narrow, special) <= _named(wide, special)


def _named(
    rule: Permission | Match, special: frozenset[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    return frozenset(
        (group, resource)
        for group, resource in special
        if group in rule.groups and resource in rule.resources
    )


def _numbers(rules: int) -> Iterator[int]:
    while rules:
        number = first_rule(rules)
        yield number
        rules &= ~(1 << number)


def _row(rule: Permission | Match) -> Row:
    return Row(
        rule.verbs,
        rule.groups,
        rule.resources,
        rule.namespaces,
        rule.names,
        rule.containers,
        rule.service_accounts,
    )
