"""Owns what a tenant may do: its scope first, then its permissions, deny before allow.

A scope is never widened, neither by mode audit nor by what is not known. It must not make Permits,
nor know where a call goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.index import Index, ObjectName, PathIndex, PathRow, Row, first_rule
from sidecar.policy.requestinfo import is_namespace_object
from sidecar.policy.reserved import is_reserved, is_review
from sidecar.policy.verdict import Denial, Reason, shown

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.snapshot_tenant import Permission, Tenant
    from sidecar.policy.verdict import Caller

DEFAULT_DENY: Final = "default/deny"
_AUDITED: Final = "default/audit"
# Longer than any that the API server has.
_MAX_PATH: Final = 1024
_COLLECTIONS: Final = frozenset({"list", "watch", "deletecollection"})


class Allowed(NamedTuple):
    """Not refused: by which rule, and by which rule mode enforce would have refused it."""

    rule: str
    audited: str = ""


class Tenancy(NamedTuple):
    """A tenant made quick to ask."""

    tenant: Tenant
    namespaces: frozenset[str]
    permissions: Index
    rules: tuple[Allowed, ...]
    allows: int
    denies: int
    resources: Index
    paths: PathIndex
    path_rules: tuple[Allowed, ...]
    path_allows: int


def compile_tenant(tenant: Tenant) -> Tenancy:
    """Index a tenant's rules."""
    on_paths = [found for found in tenant.permissions if found.non_resource_paths]
    on_kinds = [found for found in tenant.permissions if not found.non_resource_paths]
    allows = _allowing(on_kinds)
    return Tenancy(
        tenant,
        frozenset(tenant.namespaces),
        Index([_row(permission) for permission in on_kinds]),
        _name_rules(on_kinds),
        allows,
        ~allows,
        Index(
            [
                Row(found.verbs, found.groups, found.resources, names=found.names)
                for found in tenant.cluster_resources
            ]
        ),
        PathIndex(
            [
                PathRow(
                    found.verbs,
                    found.non_resource_paths,
                    found.containers,
                    found.service_accounts,
                )
                for found in on_paths
            ]
        ),
        _name_rules(on_paths),
        _allowing(on_paths),
    )


def _allowing(permissions: list[Permission]) -> int:
    return sum(1 << number for number, found in enumerate(permissions) if found.effect == "allow")


def _name_rules(permissions: list[Permission]) -> tuple[Allowed, ...]:
    return tuple(Allowed(f"permission/{permission.name}") for permission in permissions)


def _row(permission: Permission) -> Row:
    return Row(
        permission.verbs,
        permission.groups,
        permission.resources,
        permission.namespaces,
        permission.names,
        permission.containers,
        permission.service_accounts,
    )


def judge_namespace(tenancy: Tenancy, info: RequestInfo) -> Denial | None:
    """The half of the scope for which nothing has to be known about the kind."""
    if not info.namespace or info.namespace in tenancy.namespaces or is_namespace_object(info):
        return None
    return _refuse(
        "tenant/namespace",
        f"namespace {shown(info.namespace)!r} is not one of the tenant {tenancy.tenant.name!r}",
        f"use one of its namespaces{_example(tenancy)}",
    )


def judge_scope(tenancy: Tenancy, info: RequestInfo, *, namespaced: bool) -> Denial | None:
    """The other half: a kind with namespaces is reached in one, a kind without in none."""
    if namespaced:
        if info.namespace:
            return None
        collection = info.judged_verb in _COLLECTIONS
        return _refuse(
            "tenant/all-namespaces" if collection else "tenant/namespace",
            f"{_asked(info)} {'over all namespaces' if collection else 'without a namespace'} "
            f"reaches beyond the tenant {tenancy.tenant.name!r}",
            f"ask for one of its namespaces{_example(tenancy)}",
        )
    if info.namespace and not is_namespace_object(info):
        return _refuse(
            "tenant/cluster-scoped",
            f"{_kind(info)} has no namespaces",
            "leave the namespace out of the path",
        )
    return None


def judge_kind(
    tenancy: Tenancy, info: RequestInfo, caller: Caller, name: ObjectName, *, namespaced: bool
) -> Allowed | Denial:
    """What the permissions and cluster resources say, once the scope is judged."""
    verb = info.judged_verb
    reached = ""
    if not namespaced:
        reached = _find_cluster_resource(tenancy, info, caller, name)
        if not reached and not is_review(info):
            return _refuse(
                "tenant/cluster-scoped",
                f"{_asked(info)} is not within the tenant {tenancy.tenant.name!r}, "
                f"and {_kind(info)} has no namespaces",
                "a rule of the tenant's clusterResources would have to name it",
            )
    rules = tenancy.permissions.select(verb, info, caller)
    if rules & tenancy.denies:
        denied = _judge_denies(tenancy, info, name, rules & tenancy.denies)
        if denied is not None:
            return _relax(tenancy, denied, reached, within=namespaced)
    if reached:
        return Allowed(reached)
    allows = rules & tenancy.allows
    if allows and is_reserved(info):
        allows &= tenancy.permissions.spelled_out(info)
    sure, maybe = tenancy.permissions.narrow(allows, info, name) if allows else (0, 0)
    if sure:
        return tenancy.rules[first_rule(sure)]
    denied = refuse_by_default(tenancy, info, name, maybe)
    return _relax(tenancy, denied, reached, within=namespaced)


def may_allow(tenancy: Tenancy, info: RequestInfo, caller: Caller) -> bool:
    """Whether some rule could allow a call of this verb on this kind, whatever else is known."""
    if tenancy.tenant.mode == "audit":
        return True
    rules = tenancy.permissions.select(info.judged_verb, info, caller) & tenancy.allows
    return bool(rules or tenancy.resources.select(info.judged_verb, info, caller))


def judge_path(tenancy: Tenancy, info: RequestInfo, caller: Caller) -> Allowed | Denial:
    """A path that is no resource."""
    known = len(info.path) <= _MAX_PATH
    rules = tenancy.paths.select(info.verb, info.path, caller) if known else 0
    denies = rules & ~tenancy.path_allows
    if denies:
        rule = tenancy.path_rules[first_rule(denies)].rule
        denied = _refuse(
            rule,
            f"{info.verb} {shown(info.path)} is denied to this caller",
            "ask whoever keeps this rule",
        )
        return _relax(tenancy, denied)
    if rules:
        return tenancy.path_rules[first_rule(rules)]
    denied = _refuse(
        DEFAULT_DENY,
        f"no permission of the tenant {tenancy.tenant.name!r} allows {info.verb} "
        f"{shown(info.path)}",
        "one with nonResourcePaths would have to",
    )
    return _relax(tenancy, denied)


def permission_hangs_on_name(tenancy: Tenancy, info: RequestInfo, caller: Caller) -> bool:
    """Whether the name of the object could make a difference to what the rules say."""
    return any(
        index.has_names
        and _differs(index, info, index.select(info.judged_verb, info, caller) & rules)
        for index, rules in (
            (tenancy.permissions, tenancy.allows),
            (tenancy.permissions, tenancy.denies),
            (tenancy.resources, -1),
        )
    )


def _differs(index: Index, info: RequestInfo, rules: int) -> bool:
    """Whether some rule is among these, but none for sure as long as there is no name."""
    sure, maybe = index.narrow(rules, info, ObjectName())
    return bool(maybe) and not sure


def _find_cluster_resource(
    tenancy: Tenancy, info: RequestInfo, caller: Caller, name: ObjectName
) -> str:
    rules = tenancy.resources.select(info.judged_verb, info, caller)
    if rules and is_reserved(info):
        rules &= tenancy.resources.spelled_out(info)
    if not rules:
        return ""
    sure, _ = tenancy.resources.narrow(rules, info, name)
    if not sure:
        return ""
    return f"clusterResource/{tenancy.tenant.cluster_resources[first_rule(sure)].name}"


def _judge_denies(
    tenancy: Tenancy, info: RequestInfo, name: ObjectName, denies: int
) -> Denial | None:
    """A deny rule with names also denies what names no object and would reach it."""
    sure, maybe = tenancy.permissions.narrow(denies, info, name)
    if not maybe:
        return None
    rule = tenancy.rules[first_rule(sure or maybe)].rule
    if sure:
        return _refuse(
            rule, f"{_asked(info)} is denied to this caller", "ask whoever keeps this rule"
        )
    what = "may make" if name.generated else "reaches"
    return _refuse(
        rule,
        f"{_asked(info)} {what} an object that is denied by its name",
        "name the object that you mean",
    )


def refuse_by_default(
    tenancy: Tenancy, info: RequestInfo, name: ObjectName, maybe: int = 0
) -> Denial:
    """No permission allows it; `maybe`: some would, for other names."""
    if maybe:
        rule = tenancy.rules[first_rule(maybe)].rule
        what = "its name is generated" if name.generated else "it names no object"
        return _refuse(
            DEFAULT_DENY,
            f"{_asked(info)} is allowed for some names only, by {rule}, and {what}",
            "name an object that the rule allows",
        )
    remedy = "ask whoever keeps the tenant for a permission that does"
    if is_reserved(info):
        remedy = f"a rule must name the group and {_kind(info)} itself, * does not cover it"
    return _refuse(
        DEFAULT_DENY,
        f"no permission of the tenant {tenancy.tenant.name!r} allows to {_asked(info)}",
        remedy,
    )


def _relax(
    tenancy: Tenancy, denied: Denial, reached: str = "", *, within: bool = True
) -> Allowed | Denial:
    """Mode audit lets pass what only permissions refuse: what is within the tenant, or reached.

    Reviews of others are neither, because they may ask about any namespace.
    """
    if tenancy.tenant.mode == "audit" and (within or reached):
        return Allowed(reached or _AUDITED, denied.rule)
    return denied


def _refuse(rule: str, what: str, remedy: str) -> Denial:
    return Denial(Reason.FORBIDDEN, rule, f"{what}: {remedy}")


def _example(tenancy: Tenancy) -> str:
    namespaces = tenancy.tenant.namespaces
    return f", e.g. -n {namespaces[0]}" if namespaces else "; it has none now"


def _asked(info: RequestInfo) -> str:
    where = f" in namespace {shown(info.namespace)!r}" if info.namespace else ""
    return f"{shown(info.judged_verb)} {_kind(info)}{where}"


def _kind(info: RequestInfo) -> str:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    return shown(f"{resource}.{info.group}" if info.group else resource)
