import pytest

from sidecar.policy.index import ObjectName
from sidecar.policy.routing import (
    Routing,
    choose_route,
    compile_routes,
    members_for,
    names_kind,
    route_hangs_on_name,
    select_routes,
)
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.verdict import Denial
from tests.sidecar.policy.calls import CALLER, call

ANY = ("*",)
PODS = "/api/v1/namespaces/team-a/pods"


def route(name: str, priority: int, *match: Match, cluster: str = "east") -> Route:
    return Route(name, priority, match, (RouteMember(cluster),))


def chosen(routing: Routing, method: str, path: str, generated: str = "") -> str:
    info = call(method, path)
    rules = select_routes(routing, info, CALLER)
    found = choose_route(routing, rules, info, ObjectName(info.name, generated))
    assert not isinstance(found, Denial)
    return found.name if found else ""


ROUTES = compile_routes(
    [
        route("low", 0, Match(ANY, ANY)),
        route("same", 5, Match(("",), ("pods",), names=("web-*",))),
        route("first", 5, Match(("",), ("pods",), names=("web-0",))),
        route("high", 9, Match(("",), ("pods/log",)), Match(("apps",), ANY, verbs=("get",))),
        route("space", 8, Match(("",), ("configmaps",), namespaces=("team-b",))),
        route("box", 8, Match(("",), ("secrets",), containers=("ci",))),
        route("account", 8, Match(("",), ("services",), service_accounts=("ci",))),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"{PODS}/web-0", "same"),
        ("GET", f"{PODS}/db-0", "low"),
        ("GET", PODS, "low"),
        ("GET", f"{PODS}?fieldSelector=metadata.name%3Dweb-1", "same"),
        ("DELETE", PODS, "low"),
        ("GET", f"{PODS}/web-0/log", "high"),
        ("GET", f"{PODS}/web-0/exec", "low"),
        ("GET", "/apis/apps/v1/namespaces/team-a/deployments/d", "high"),
        ("PUT", "/apis/apps/v1/namespaces/team-a/deployments/d", "low"),
        ("GET", "/api/v1/namespaces/team-b/configmaps", "space"),
        ("GET", "/api/v1/namespaces/team-a/configmaps", "low"),
        ("GET", "/api/v1/namespaces/team-a/secrets", "low"),
        ("GET", "/api/v1/namespaces/team-a/services", "low"),
        # No wildcard takes these.
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/team-a/leases", ""),
        ("GET", "/api/v1/namespaces/team-a/events", ""),
        ("GET", "/apis/events.k8s.io/v1/namespaces/team-a/events", ""),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", ""),
    ],
)
def test_the_first_of_the_highest_priority(method: str, path: str, expected: str) -> None:
    assert chosen(ROUTES, method, path) == expected


def test_leases_go_where_a_route_names_them() -> None:
    leases = Match(("coordination.k8s.io",), ("leases",))
    routing = compile_routes([route("any", 9, Match(ANY, ANY)), route("locks", 1, leases)])
    path = "/apis/coordination.k8s.io/v1/namespaces/team-a/leases/x"
    assert chosen(routing, "PUT", path) == "locks"


def test_no_routes() -> None:
    routing = compile_routes([])
    assert chosen(routing, "GET", PODS) == ""
    assert members_for(routing, None, CALLER) == ()


NAMED = compile_routes(
    [
        route("ci", 9, Match(("",), ("pods",), names=("ci-*",))),
        route("rest", 1, Match(("",), ("pods",), namespaces=("team-a",))),
    ]
)


@pytest.mark.parametrize(
    ("routing", "path", "expected"),
    [
        (NAMED, PODS, True),
        (ROUTES, PODS, True),
        (ROUTES, "/api/v1/namespaces/team-a/secrets", False),
        (NAMED, "/api/v1/namespaces/team-a/secrets", False),
        (compile_routes([route("all", 9, Match(ANY, ANY)), *(r for _, r in NAMED.rows)]), PODS,
         False),
        (compile_routes([route("a", 9, Match(ANY, ANY, namespaces=("a",)))]), "/api/v1/namespaces",
         True),
    ],
)  # fmt: skip
def test_when_the_name_makes_a_difference(routing: Routing, path: str, expected: bool) -> None:
    info = call("POST", path)
    rules = select_routes(routing, info, CALLER)
    assert route_hangs_on_name(routing, rules, info) == expected


def test_a_namespace_goes_with_what_is_in_it() -> None:
    routing = compile_routes([route("dev", 9, Match(ANY, ANY, namespaces=("dev",)))])
    for raw in (
        "/api/v1/namespaces/dev",
        "/api/v1/namespaces/dev/status",
        "/api/v1/namespaces?fieldSelector=metadata.name%3Ddev",
        "/api/v1/namespaces/dev/pods",
    ):
        assert chosen(routing, "GET", raw) == "dev"
    for raw in ("/api/v1/namespaces", "/api/v1/namespaces/prod"):
        assert chosen(routing, "GET", raw) == ""


@pytest.mark.parametrize(
    ("generated", "expected"),
    [("ci-", "ci"), ("ci-x-", "ci"), ("web-", "rest"), ("ci", "rest")],
)
def test_generated_names(generated: str, expected: str) -> None:
    assert chosen(NAMED, "POST", PODS, generated) == expected


def test_a_generated_name_that_may_be_either() -> None:
    routing = compile_routes([route("b", 9, Match(("",), ("pods",), names=("ci-b*",)))])
    info = call("POST", PODS)
    rules = select_routes(routing, info, CALLER)
    refused = choose_route(routing, rules, info, ObjectName("", "ci-"))
    assert isinstance(refused, Denial)
    assert refused.rule == "route/generate-name"
    assert "route 'b'" in refused.message


def test_what_other_members_serve() -> None:
    routing = compile_routes(
        [
            route("a", 1, Match(("apps",), ("deployments", "*/scale"))),
            route("b", 2, Match(("",), ("pods/*",)), cluster="west"),
            route("c", 3, Match(("",), ("pods",), containers=("ci",)), cluster="north"),
            route("d", 4, Match(ANY, ANY), cluster="home"),
        ]
    )
    assert members_for(routing, None, CALLER) == ("west", "east")
    assert members_for(routing, "apps", CALLER) == ("east",)
    assert members_for(routing, None, CALLER._replace(container="ci")) == ("north", "west", "east")
    assert not names_kind(routing, "none", "apps", "deployments")
    assert not names_kind(None, "east", "apps", "deployments")


@pytest.mark.parametrize(
    ("group", "resource", "expected"),
    [
        ("apps", "deployments", True),
        ("apps", "deployments/scale", True),
        ("apps", "deployments/status", False),
        ("apps", "statefulsets", False),
        ("", "deployments", False),
        ("", "pods/log", True),
        ("", "pods", False),
        ("batch", "jobs", True),
        ("batch", "jobs/status", True),
    ],
)
def test_kinds_that_routes_name(group: str, resource: str, expected: bool) -> None:
    routing = compile_routes(
        [
            route("a", 1, Match(("apps",), ("deployments", "*/scale"))),
            route("b", 1, Match(("",), ("pods/*",))),
            route("c", 1, Match(("batch",), ("*",))),
            route("d", 1, Match(("",), ("pods",)), cluster="west"),
        ]
    )
    assert names_kind(routing, "east", group, resource) == expected
