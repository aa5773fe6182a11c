"""Generated policies and calls, decided twice: by the index, and by a look at each rule."""

import json
from typing import NamedTuple

from hypothesis import given, settings, strategies as st

from sidecar.policy.decide import compile_policy, decide
from sidecar.policy.globs import pattern_matches
from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Cluster, Snapshot, TokenFile, parse_snapshot
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Tenant
from sidecar.policy.verdict import Body, Caller, Denial, NeedBody, Permit
from tests.sidecar.policy.calls import call

CLUSTERS = tuple(
    Cluster(name, f"https://{name}", name, 443, b"", None, None, TokenFile("/t"))
    for name in ("home", "east", "west", "north")
)
KINDS = {"": {"pods": True, "nodes": False}, "apps": {"deployments": True}}
SCOPES = Scopes()
for _cluster in CLUSTERS:
    for _group, _kinds in KINDS.items():
        SCOPES.learn(_cluster.name, _group, "v1", _kinds)


def lists(*entries: str) -> st.SearchStrategy[tuple[str, ...]]:
    """One or two entries; any is what most rules say."""
    some = st.lists(st.sampled_from(entries), min_size=1, max_size=2, unique=True).map(tuple)
    return st.just(("*",)) | some


VERBS = lists("get", "list", "watch", "create", "update", "delete", "deletecollection")
GROUPS = lists("", "apps")
RESOURCES = lists("pods", "pods/exec", "pods/*", "*/status", "nodes")
NAMESPACES = lists("a", "b", "a*", "*b", "a*a")
NAMES = lists("x", "x*", "*y", "x*y", "x*x", "*z*")
CONTAINERS = lists("app", "ci", "a*")
PERMISSIONS = st.builds(
    Permission,
    st.just(""),
    st.sampled_from(("allow", "allow", "deny")),
    VERBS,
    GROUPS,
    RESOURCES,
    NAMESPACES,
    NAMES,
    CONTAINERS,
    CONTAINERS,
    st.just(()),
)
RULES = st.lists(PERMISSIONS, max_size=6).map(
    lambda found: tuple(rule._replace(name=f"p{number}") for number, rule in enumerate(found))
)
REACHED = st.lists(
    st.builds(ClusterResource, st.just("c"), VERBS, GROUPS, RESOURCES, NAMES), max_size=2
).map(tuple)
MATCHES = st.builds(Match, GROUPS, RESOURCES, VERBS, NAMESPACES, NAMES, CONTAINERS, CONTAINERS)
ROUTES = st.lists(
    st.tuples(st.integers(0, 2), st.lists(MATCHES, min_size=1, max_size=2)), max_size=4
).map(
    lambda found: tuple(
        Route(f"r{number}", priority, tuple(matches), (RouteMember(CLUSTERS[number].name),))
        for number, (priority, matches) in enumerate(found)
    )
)
TENANTS = st.builds(
    Tenant,
    st.just("acme"),
    st.sampled_from(("enforce", "audit")),
    st.sampled_from((("a", "ab"), ("a",), ())),
    RULES,
    REACHED,
    st.none(),
)
CALLERS = st.builds(
    Caller,
    st.sampled_from(("app", "ci")),
    st.just("a"),
    st.sampled_from(("app", "ci")),
    st.just("p"),
)
CALLS = st.builds(
    lambda method, kind, namespace, rest: call(method, f"/{kind[0]}{namespace}/{kind[1]}{rest}"),
    st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD")),
    st.sampled_from((("api/v1", "pods"), ("api/v1", "nodes"), ("apis/apps/v1", "deployments"))),
    st.sampled_from(("/namespaces/a", "/namespaces/ab", "", "/namespaces/b", "/namespaces/A")),
    st.sampled_from(
        (
            "", "/", "/x", "/y", "/xy", "/azb", "/x/status", "/x/exec", "?watch=1",
            "?fieldSelector=metadata.name%3Dx",
        )
    ),
)  # fmt: skip
WRITTEN = st.sampled_from(("x", "y", "xay", "z", "aza"))


class Outcome(NamedTuple):
    """What matters of a verdict."""

    cluster: str
    audited: bool = False


def takes(patterns: tuple[str, ...], text: str) -> bool:
    return any(pattern_matches(pattern, text) for pattern in patterns)


def takes_kind(resources: tuple[str, ...], info: RequestInfo) -> bool:
    if not info.subresource:
        return bool({"*", info.resource} & {*resources})
    ways = {"*", f"{info.resource}/*", f"*/{info.subresource}"}
    return bool({*ways, f"{info.resource}/{info.subresource}"} & {*resources})


def speaks_of(rule: Permission | Match | ClusterResource, info: RequestInfo) -> bool:
    return (
        bool({"*", info.judged_verb} & {*rule.verbs})
        and bool({"*", info.group} & {*rule.groups})
        and takes_kind(rule.resources, info)
    )


def speaks_to(rule: Permission | Match, info: RequestInfo, caller: Caller) -> bool:
    return (
        speaks_of(rule, info)
        and takes(rule.namespaces, info.namespace)
        and takes(rule.containers, caller.container)
        and takes(rule.service_accounts, caller.service_account)
    )


def surely_names(rule: Permission | Match | ClusterResource, name: str) -> bool:
    return takes(rule.names, name) if name else "*" in rule.names


def look_at_each(
    tenant: Tenant | None,
    routes: tuple[Route, ...],
    caller: Caller,
    info: RequestInfo,
    name: str,
) -> Outcome | None:
    """The decision as design and comments say it, None for a denial."""
    cluster = "home"
    for route in sorted(routes, key=lambda route: -route.priority):
        matches = [match for match in route.match if speaks_to(match, info, caller)]
        if any(surely_names(match, name) for match in matches):
            cluster = route.members[0].cluster
            break
    if tenant is None:
        return Outcome(cluster)
    namespaced = KINDS[info.group][info.resource]
    outside = info.namespace != "" and info.namespace not in tenant.namespaces
    if outside or namespaced != bool(info.namespace):
        return None
    reached = any(
        speaks_of(rule, info) and surely_names(rule, name) for rule in tenant.cluster_resources
    )
    if not namespaced and not reached:
        return None
    found = [rule for rule in tenant.permissions if speaks_to(rule, info, caller)]
    denied = any(rule.effect == "deny" and (not name or takes(rule.names, name)) for rule in found)
    allowed = any(rule.effect == "allow" and surely_names(rule, name) for rule in found)
    if not denied and (allowed or not namespaced):
        return Outcome(cluster)
    return Outcome(cluster, audited=True) if tenant.mode == "audit" else None


def outcome_of(verdict: object) -> Outcome | None:
    if isinstance(verdict, Permit):
        return Outcome(verdict.plan.candidates[0], bool(verdict.audited))
    assert isinstance(verdict, Denial), verdict
    return None


@settings(max_examples=1000, deadline=None)
@given(st.none() | TENANTS, ROUTES, CALLERS, CALLS, WRITTEN)
def test_the_index_decides_as_a_look_at_each_rule(
    tenant: Tenant | None,
    routes: tuple[Route, ...],
    caller: Caller,
    info: RequestInfo,
    written: str,
) -> None:
    policy = compile_policy(Snapshot("r", "a", CLUSTERS, tenant, routes), frozenset())
    body = Body("application/json", json.dumps({"metadata": {"name": written}}).encode())
    by_body = info.verb == "create" and not info.name
    name = written if by_body else info.name
    expected = look_at_each(tenant, routes, caller, info, name)
    assert outcome_of(decide(policy, SCOPES, caller, info, body)) == expected
    unread = decide(policy, SCOPES, caller, info)
    if isinstance(unread, NeedBody):
        return
    # Where no body is asked for, none makes a difference.
    assert outcome_of(unread) == expected


@settings(max_examples=200, deadline=None)
@given(TENANTS, ROUTES, CALLERS, CALLS, WRITTEN)
def test_no_call_leaves_its_tenant(
    tenant: Tenant, routes: tuple[Route, ...], caller: Caller, info: RequestInfo, written: str
) -> None:
    policy = compile_policy(Snapshot("r", "a", CLUSTERS, tenant, routes), frozenset())
    body = Body("application/json", json.dumps({"metadata": {"name": written}}).encode())
    verdict = decide(policy, SCOPES, caller, info, body)
    if isinstance(verdict, Permit):
        within = info.namespace in tenant.namespaces
        assert within or (not info.namespace and any(tenant.cluster_resources))


@settings(max_examples=50, deadline=None)
@given(TENANTS, ROUTES)
def test_a_snapshot_means_what_its_document_says(tenant: Tenant, routes: tuple[Route, ...]) -> None:
    document = {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Snapshot",
        "version": 1,
        "revision": "r",
        "namespace": "a",
        "tenant": {
            "name": tenant.name,
            "mode": tenant.mode,
            "namespaces": tenant.namespaces,
            "permissions": [
                {
                    "name": rule.name,
                    "effect": rule.effect,
                    "verbs": rule.verbs,
                    "groups": rule.groups,
                    "resources": rule.resources,
                    "namespaces": rule.namespaces,
                    "names": rule.names,
                    "containers": rule.containers,
                    "serviceAccounts": rule.service_accounts,
                }
                for rule in tenant.permissions
            ],
            "clusterResources": [],
        },
        "clusters": [
            {
                "name": cluster.name,
                "server": cluster.server,
                "caBundle": {"caFile": "/ca"},
                "credentials": {"tokenFile": "/t"},
            }
            for cluster in CLUSTERS
        ],
        "routes": [
            {
                "name": route.name,
                "priority": route.priority,
                "match": [
                    {
                        "groups": match.groups,
                        "resources": match.resources,
                        "verbs": match.verbs,
                        "namespaces": match.namespaces,
                        "names": match.names,
                        "containers": match.containers,
                        "serviceAccounts": match.service_accounts,
                    }
                    for match in route.match
                ],
                "to": {"members": [{"cluster": route.members[0].cluster}]},
            }
            for route in routes
        ],
    }
    found = parse_snapshot(json.dumps(document).encode())
    assert isinstance(found, Snapshot), found
    assert found.tenant == tenant._replace(cluster_resources=())
    assert found.routes == routes
