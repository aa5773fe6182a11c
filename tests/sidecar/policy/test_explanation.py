import json

import pytest

from sidecar.policy.decide import compile_policy, decide
from sidecar.policy.explanation import Step, explain
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Tenant
from sidecar.policy.verdict import Body, NeedScope
from tests.sidecar.policy.calls import CALLER, call

ANY = ("*",)
A = "/api/v1/namespaces/team-a"
TENANT = Tenant(
    "acme",
    "enforce",
    ("team-a",),
    (
        Permission("read", "allow", ("get", "list", "create"), ANY, ANY),
        Permission("no", "deny", ANY, ("",), ("secrets",)),
    ),
    (ClusterResource("nodes", ("get",), ("",), ("nodes",)),),
)
ROUTES = (
    Route(
        "pods",
        1,
        (Match(("",), ("pods",), names=("ci-b*",)),),
        (RouteMember("east"),),
        stand_ins=("home",),
    ),
)
SCOPED = compile_policy(Snapshot("r", "team-a", (), TENANT, ROUTES), frozenset())
BARE = compile_policy(Snapshot("r", "team-a", ()), frozenset())
AUDIT = compile_policy(Snapshot("r", "team-a", (), TENANT._replace(mode="audit")), frozenset())
SCOPES = Scopes()
for _name in ("home", "east"):
    SCOPES.learn(_name, "", "v1", {"pods": True, "secrets": True, "nodes": False})
IN_SCOPE = Step("scope", "passed", "namespace 'team-a' is one of the tenant 'acme'")
UNGUARDED = Step("guards", "passed", "none objects")


def steps(by: object, method: str, raw: str, body: object = None) -> list[Step]:
    policy = {"scoped": SCOPED, "bare": BARE, "audit": AUDIT}[str(by)]
    sent = None if body is None else Body("application/json", json.dumps(body).encode())
    info = call(method, raw)
    told = explain(policy, CALLER, info, SCOPES, sent)
    same = decide(policy, SCOPES, CALLER, info, sent)
    assert repr(told.verdict) == repr(same)
    return list(told.steps)


def test_a_permit() -> None:
    assert steps("scoped", "GET", f"{A}/pods/ci-b1") == [
        UNGUARDED,
        IN_SCOPE,
        Step("permissions", "passed", "permission/read"),
        Step("route", "passed", "pods"),
        Step(
            "plan",
            "passed",
            "single: east, home; versions carry the member they come from; "
            "answers are held to the namespace",
        ),
    ]


def test_a_permit_without_a_tenant() -> None:
    assert steps("bare", "GET", "/version") == [
        UNGUARDED,
        Step("scope", "passed", "no tenant: RBAC alone limits what may be done"),
        Step("permissions", "passed", "default/rbac"),
        Step("route", "passed", "none: home serves it"),
        Step("plan", "passed", "single: home"),
    ]


@pytest.mark.parametrize(
    ("method", "raw", "step"),
    [
        ("GET", "/api/v1/nodes/n", Step("scope", "passed", "the kind has no namespaces")),
        (
            "GET",
            "/apis",
            Step("scope", "passed", "no resource, so within every scope of the tenant 'acme'"),
        ),
        ("GET", "/apis", Step("plan", "passed", "discovery: home, east")),
    ],
)
def test_parts_of_permits(method: str, raw: str, step: Step) -> None:
    assert step in steps("scoped", method, raw)


def test_mode_audit() -> None:
    assert steps("audit", "GET", f"{A}/secrets/x")[2] == Step(
        "permissions",
        "passed",
        "default/audit: mode audit lets pass what enforce would refuse by permission/no",
    )


def refused(method: str, raw: str, body: object = None) -> tuple[list[str], str]:
    *passed, last = steps("scoped", method, raw, body)
    assert last.outcome == "refused"
    assert {step.outcome for step in passed} <= {"passed"}
    return [step.stage for step in passed], f"{last.stage} {last.detail.partition(': ')[0]}"


OWNED = {"metadata": {"name": "ci-b1", "ownerReferences": [{"uid": "1"}]}}


@pytest.mark.parametrize(
    ("method", "raw", "body", "passed", "last"),
    [
        ("GET", f"{A}/pods/x/proxy", None, [], "guards guard/proxy"),
        ("GET", "/api/v1/pods", None, ["guards"], "scope tenant/all-namespaces"),
        ("GET", f"{A}/secrets", None, ["guards", "scope"], "permissions permission/no"),
        ("DELETE", f"{A}/pods/x", None, ["guards", "scope"], "permissions default/deny"),
        ("POST", f"{A}/pods", {"metadata": {"generateName": "ci-"}}, ["guards"],
         "route route/generate-name"),
        ("POST", f"{A}/pods", OWNED, ["guards", "scope", "permissions"],
         "route route/owner-references"),
        ("POST", f"{A}/pods", [], ["guards"], "body body/metadata"),
    ],
)  # fmt: skip
def test_refusals(method: str, raw: str, body: object, passed: list[str], last: str) -> None:
    assert refused(method, raw, body) == (passed, last)


def test_a_guard_that_would_look_at_the_body() -> None:
    found = steps("scoped", "POST", f"{A}/secrets")
    assert found[0] == Step("guards", "passed", "one would look at the body first")


def test_an_answer_of_our_own() -> None:
    spec = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert refused("POST", path, spec) == (["guards"], "scope tenant/all-namespaces")


def test_what_is_needed_first() -> None:
    (step,) = steps("scoped", "POST", f"{A}/pods")
    assert step.stage == "body"
    told = explain(SCOPED, CALLER, call("GET", f"{A}/pods"))
    assert isinstance(told.verdict, NeedScope)
    assert told.steps == (
        UNGUARDED,
        Step("scope", "needed", "whether pods has namespaces on the cluster 'home' is not known"),
    )
