import pytest

from sidecar.policy.plans import members_of, plan_call, plan_path, writes_object
from sidecar.policy.routing import compile_routes
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.verdict import HOME_PLAN, Plan, PlanKind
from tests.sidecar.policy.calls import CALLER, call

PODS = "/api/v1/namespaces/a/pods"
SLICE = (Match(("",), ("pods",)),)
EAST = Route("r", 1, SLICE, (RouteMember("east"),))
STOOD_IN = EAST._replace(stand_ins=("west", "home"))
HOME_STOOD_IN = Route("r", 1, SLICE, (RouteMember("home"),), stand_ins=("east",))


def single(*candidates: str, tagged: bool = False, inspected: bool = False) -> Plan:
    return Plan(PlanKind.SINGLE, candidates, "r", tagged, inspected)


@pytest.mark.parametrize(
    ("route", "method", "path", "plan"),
    [
        (EAST, "GET", PODS, single("east", inspected=True)),
        (EAST, "GET", f"{PODS}?watch=1", single("east", inspected=True)),
        (EAST, "GET", "/api/v1/pods", single("east")),
        (EAST, "POST", PODS, single("east", inspected=True)),
        (EAST, "GET", f"{PODS}/b/log", single("east")),
        (EAST, "GET", f"{PODS}/b/exec", single("east")),
        (EAST, "GET", "/api/v1/namespaces/a", single("east")),
        (EAST, "GET", f"{PODS}/b/status", single("east", inspected=True)),
        (STOOD_IN, "GET", PODS, single("east", "west", "home", tagged=True, inspected=True)),
        (STOOD_IN, "GET", "/api/v1/pods", single("east", "west", "home", tagged=True)),
        (STOOD_IN, "GET", f"{PODS}/b/log", single("east", "west", "home")),
        (STOOD_IN, "PUT", f"{PODS}/b", single("east", tagged=True, inspected=True)),
        (STOOD_IN, "DELETE", PODS, single("east", tagged=True, inspected=True)),
        (STOOD_IN, "GET", f"{PODS}/b/exec", single("east")),
        (HOME_STOOD_IN, "GET", PODS, single("home", "east", tagged=True, inspected=True)),
        (HOME_STOOD_IN, "PUT", f"{PODS}/b", single("home", tagged=True)),
        (EAST._replace(members=(RouteMember("home"),)), "GET", PODS, single("home")),
    ],
)
def test_plans_of_calls(route: Route, method: str, path: str, plan: Plan) -> None:
    info = call(method, path)
    assert plan_call(route, info) == plan


def test_what_does_not_fail_over() -> None:
    info = call("GET", "/apis/example.com/v1/cars")
    assert plan_call(STOOD_IN, info, fails_over=False) == single("east")


def test_members() -> None:
    assert members_of(None) == ("home",)
    assert members_of(STOOD_IN) == ("east", "west", "home")


ROUTES = compile_routes(
    [
        EAST,
        Route("apps", 2, (Match(("apps",), ("*",)),), (RouteMember("west"),)),
        Route("own", 3, (Match(("batch",), ("*",)),), (RouteMember("home"),)),
        Route("ci", 3, (Match(("x",), ("*",), containers=("ci",)),), (RouteMember("north"),)),
    ]
)


@pytest.mark.parametrize(
    ("path", "candidates"),
    [
        ("/apis", ("home", "west", "east")),
        ("/api/v1", ("home", "east")),
        ("/apis/apps/v1", ("home", "west")),
        ("/openapi/v3/apis/apps/v1", ("home", "west")),
        ("/apis/batch/v1", None),
        ("/apis/x/v1", None),
        ("/version", None),
        ("/metrics", None),
    ],
)
def test_plans_of_paths(path: str, candidates: tuple[str, ...] | None) -> None:
    plan = HOME_PLAN if candidates is None else Plan(PlanKind.DISCOVERY, candidates)
    assert plan_path(ROUTES, call("GET", path), CALLER) == plan
    assert plan_path(compile_routes(()), call("GET", path), CALLER) == HOME_PLAN


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", PODS, True),
        ("PATCH", f"{PODS}/b/status", True),
        ("PUT", f"{PODS}/b/ephemeralcontainers", True),
        ("PUT", f"{PODS}/b/scale", False),
        ("POST", f"{PODS}/b/attach", False),
        ("POST", "/apis/example.com/v1/namespaces/a/cars/b/exec", True),
        ("DELETE", f"{PODS}/b", False),
    ],
)
def test_what_writes_an_object(method: str, path: str, expected: bool) -> None:
    assert writes_object(call(method, path)) == expected
