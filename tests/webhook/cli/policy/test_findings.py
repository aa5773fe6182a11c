import itertools
import json
import re
import time

import pytest
from hypothesis import given, settings, strategies as st

from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.snapshot import Snapshot, parse_snapshot
from sidecar.policy.verdict import Body, Caller, Permit
from tests.webhook.cli.policy.scene import USUAL, Raw, document, permission, route, tenant
from webhook.cli.policy.findings import find_oddities
from webhook.cli.policy.judgement import Judge
from webhook.cli.policy.kinds import Kinds


def parse(content: Raw) -> Snapshot:
    found = parse_snapshot(json.dumps(content).encode())
    assert isinstance(found, Snapshot), found
    return found


def find(content: Raw) -> list[str]:
    return [f"{found.path}: {found.message}" for found in find_oddities(parse(content))]


PERMISSION, RESOURCE = "tenant.permissions", "tenant.clusterResources"
NO_SCOPE = "tenant.namespaces: is empty: every call on a namespace is denied"
NO_NAMESPACES = "is never allowed here, it has no namespaces: name it in tenant.clusterResources"
HAS_NAMESPACES = "is never allowed here, it has namespaces: name it in tenant.permissions"
BY_GUARD = "is never allowed: guard/proxy denies it whatever rules say"
BY_GROUP = "is never allowed so: groups must name its group, * is not enough"
OUTSIDE = "is no namespace of the tenant 'acme'"
NOTHING, NEVER, LATE = "adds nothing:", "never allows anything:", "comes first and takes all of it"
ALL = permission("all", groups=["*"])
ACCESS: Raw = {"groups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"]}
CLASSES = {"verbs": ["get"], "groups": ["storage.k8s.io"], "resources": ["storageclasses"]}
REVIEWS = permission("r", groups=["authentication.k8s.io"], resources=["tokenreviews"])


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        (None, []),
        (tenant(ALL), []),
        (
            tenant(namespaces=[]),
            [
                NO_SCOPE,
                "tenant.permissions: allows nothing: what is not allowed is denied",
            ],
        ),
        (tenant(ALL, namespaces=[]), [NO_SCOPE]),
        (
            tenant(permission("a", resources=["pods"]), permission("d", "deny")),
            [f"{PERMISSION}[0]: {NEVER} 'd' denies all of it"],
        ),
        (tenant(permission("a"), permission("d", "deny", names=["x"])), []),
        (
            tenant(ALL, permission("b", resources=["pods"])),
            [f"{PERMISSION}[1]: {NOTHING} 'all' allows all of it"],
        ),
        (tenant(permission("b", resources=["pods"]), ALL), []),
        (
            tenant(
                ALL,
                permission("d", "deny", resources=["pods"]),
                permission("e", "deny", resources=["pods"], names=["a"]),
            ),
            [f"{PERMISSION}[2]: {NOTHING} 'd' denies all of it"],
        ),
        # No wildcard takes these, so they are not hidden.
        (tenant(ALL, REVIEWS), []),
        (
            tenant(REVIEWS, {**REVIEWS, "name": "s", "verbs": ["create"]}),
            [f"{PERMISSION}[1]: {NOTHING} 'r' allows all of it"],
        ),
        (
            tenant(
                permission("p", verbs=["get"], nonResourcePaths=["/m*"]),
                permission("q", verbs=["get"], nonResourcePaths=["/metrics"]),
                ALL,
            ),
            [f"{PERMISSION}[1]: {NOTHING} 'p' allows all of it"],
        ),
        (
            tenant(
                permission("p", verbs=["get"], nonResourcePaths=["/m"]),
                permission("q", "deny", verbs=["*"], nonResourcePaths=["*"]),
            ),
            [f"{PERMISSION}[0]: {NEVER} 'q' denies all of it"],
        ),
        (
            tenant(permission("a", namespaces=["team-a", "team-c", "x-*"])),
            [
                f"{PERMISSION}[0].namespaces[1]: never matches: 'team-c' {OUTSIDE}",
                f"{PERMISSION}[0].namespaces[2]: never matches: 'x-*' {OUTSIDE}",
            ],
        ),
        (
            tenant(permission("a", groups=["*"], resources=["pods", "pods/proxy", "tokenreviews"])),
            [
                f"{PERMISSION}[0].resources[1]: {BY_GUARD}",
                f"{PERMISSION}[0].resources[2]: {BY_GROUP}",
            ],
        ),
        (
            tenant(permission("a", resources=["pods", "nodes", "namespaces/status"])),
            [
                f"{PERMISSION}[0].resources[1]: {NO_NAMESPACES}",
                f"{PERMISSION}[0].resources[2]: {NO_NAMESPACES}",
            ],
        ),
        # Another group may have a kind of that name, and denies are not in vain.
        (tenant(permission("a", groups=["*"], resources=["nodes"])), []),
        (tenant(permission("a", groups=["", "x.com"], resources=["nodes"])), []),
        (tenant(ALL, permission("d", "deny", resources=["nodes"])), []),
        (
            tenant(permission("a", **ACCESS)),
            [],
        ),
        (
            tenant(
                permission("d", "deny", groups=["*"], resources=["storageclasses"]),
                clusterResources=[
                    CLASSES,
                    {"verbs": ["get"], "groups": [""], "resources": ["nodes", "pods"]},
                ],
            ),
            [
                f"{RESOURCE}[0]: {NEVER} 'd' denies all of it",
                f"{RESOURCE}[1].resources[1]: {HAS_NAMESPACES}",
            ],
        ),
    ],
)
def test_in_tenants(whose: Raw | None, said: list[str]) -> None:
    assert find(document(whose)) == said


PODS = {"groups": [""], "resources": ["pods"]}
EVENTS = {"groups": ["", "events.k8s.io"], "resources": ["events"]}
EVERYTHING = {"groups": ["*"], "resources": ["*"]}


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ([route("a", "eu-1", PODS), route("b", "us-1", EVENTS)], []),
        (
            [route("a", "eu-1", EVERYTHING), route("b", "us-1", PODS)],
            [f"routes[1].match[0]: never counts: the route 'a' {LATE}"],
        ),
        (
            [route("a", "eu-1", PODS), route("b", "us-1", EVERYTHING, priority=1)],
            [f"routes[0].match[0]: never counts: the route 'b' {LATE}"],
        ),
        (
            [route("a", "eu-1", PODS, {**PODS, "names": ["x"]})],
            [f"routes[0].match[1]: never counts: another match of it {LATE}"],
        ),
        # A wildcard does not take events.
        ([route("a", "eu-1", EVERYTHING), route("b", "us-1", EVENTS)], []),
        (
            [route("a", "eu-1", {**PODS, "namespaces": ["team-a", "c"]})],
            [f"routes[0].match[0].namespaces[1]: never matches: 'c' {OUTSIDE}"],
        ),
    ],
)
def test_in_routes(routes: list[Raw], said: list[str]) -> None:
    assert find(document(tenant(ALL), *routes)) == said


def test_the_usual_one_is_in_order() -> None:
    assert find(USUAL) == []


def test_places_are_in_the_order_of_the_file() -> None:
    many = [
        permission(f"p{number}", resources=["nodes"], names=[f"n{number}"]) for number in range(11)
    ]
    places = [found.partition(":")[0] for found in find(document(tenant(*many)))]
    assert places == [f"{PERMISSION}[{number}].resources[0]" for number in range(11)]


def test_thousands_of_rules_cost_little() -> None:
    many = [
        permission(f"p{number}", resources=["pods"], names=[f"n{number}"]) for number in range(2000)
    ]
    snapshot = parse(document(tenant(*many)))
    began = time.process_time()
    assert find_oddities(snapshot) == ()
    assert time.process_time() - began < 2


# No finding is wrong: a rule that is called useless is never the one that decides.

CALLS = [
    RequestInfo(True, "", verb, "api", group, "v1", namespace, resource, subresource, name,
                is_upgrade=subresource == "exec")
    for verb in ("get", "list", "create")
    for group, resource, subresource in (
        ("", "pods", ""), ("", "pods", "exec"), ("", "pods", "log"), ("", "nodes", ""),
        ("", "events", ""), ("apps", "deployments", ""), ("apps", "deployments", "scale"),
        ("", "bindings", ""), ("authentication.k8s.io", "tokenreviews", ""),
        ("rbac.authorization.k8s.io", "roles", ""),
    )
    for namespace in ("", "team-a", "team-b")
    for name in ("", "ci-1", "x")
]  # fmt: skip
CALLERS = [Caller(container, "team-a", "default", "") for container in ("app", "agent-1")]


def pick(*entries: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(entries), min_size=1, max_size=2, unique=True)


SELECTORS = {
    "verbs": pick("*", "get", "list", "create"),
    "groups": pick("*", "", "apps", "authentication.k8s.io", "rbac.authorization.k8s.io"),
    "resources": pick(
        "*", "pods", "pods/*", "pods/exec", "*/log", "nodes", "bindings", "tokenreviews", "roles",
        "pods/proxy",
    ),
    "namespaces": pick("*", "team-a", "team-*", "team-c", "*-b"),
    "names": pick("*", "*", "ci-*", "ci-1", "c*1"),
    "containers": pick("*", "*", "app", "agent*"),
}  # fmt: skip
PERMISSIONS = st.lists(
    st.fixed_dictionaries({"effect": st.sampled_from(["allow", "allow", "deny"]), **SELECTORS}),
    min_size=1,
    max_size=5,
)
EVENTS_ALONE = {"groups": ["", "events.k8s.io"], "resources": ["events"]}
MATCHES = st.one_of(st.just(EVENTS_ALONE), st.fixed_dictionaries(SELECTORS))
ROUTES = st.lists(st.tuples(MATCHES, st.integers(0, 2)), min_size=1, max_size=5)


def decide_all(content: Raw) -> tuple[set[str], set[str]]:
    """The rules and the routes that decided any of the calls."""
    judge = Judge(parse(content), frozenset(), Kinds())
    rules, routes = set(), set()
    for info, caller in itertools.product(CALLS, CALLERS):
        verdict = judge.judge(caller, info, Body("application/json", b"{}")).verdict
        rules.add(verdict.rule)
        if isinstance(verdict, Permit):
            routes.add(verdict.plan.route)
    return rules, routes


@given(PERMISSIONS)
@settings(max_examples=60, deadline=None)
def test_a_permission_that_is_called_useless_decides_nothing(drawn: list[Raw]) -> None:
    rules = [{"name": f"p{number}", **found} for number, found in enumerate(drawn)]
    content = document(tenant(*rules))
    useless = [found for found in find(content) if NOTHING in found or NEVER in found]
    numbers = {int(re.findall(r"\[([0-9]+)\]", found)[0]) for found in useless}
    decided, _ = decide_all(content)
    assert not {f"permission/p{number}" for number in numbers} & decided


@given(ROUTES)
@settings(max_examples=60, deadline=None)
def test_a_route_that_is_called_useless_serves_nothing(drawn: list[tuple[Raw, int]]) -> None:
    routes = [
        route(f"r{number}", "eu-1", match, priority=priority)
        for number, (match, priority) in enumerate(drawn)
    ]
    content = document(None, *routes)
    if isinstance(parse_snapshot(json.dumps(content).encode()), tuple):
        return  # it would split events
    useless = {int(re.findall(r"\[([0-9]+)\]", found)[0]) for found in find(content)}
    _, served = decide_all(content)
    assert not {f"r{number}" for number in useless} & served
