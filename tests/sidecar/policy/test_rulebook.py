"""What rules and routes say, through decide, which hands them its calls."""

from typing import Any

import pytest

from sidecar.policy.decide import Policy, decide
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import Permission
from sidecar.policy.verdict import (
    Body,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Plan,
    PlanKind,
    Verdict,
)
from tests.sidecar.policy.calls import CALLER, call
from tests.sidecar.policy.policies import (
    ANY,
    AUDIT,
    BARE,
    BOTH,
    EXAMPLE,
    ROUTED,
    SCOPED,
    SCOPES,
    TENANT,
    A,
    ask,
    permitted,
    policy,
    refused,
    scopes_of,
)

# Scope and permissions


@pytest.mark.parametrize(
    ("method", "raw", "rule"),
    [
        ("GET", f"{A}/pods", "permission/read"),
        ("HEAD", f"{A}/pods/p", "permission/read"),
        ("GET", "/api/v1/watch/namespaces/team-a/pods", "permission/read"),
        ("GET", f"{A}/pods/", "permission/read"),
        ("PATCH", f"{A}/pods/p?dryRun=All", "permission/write"),
        ("POST", f"{A}/services", "permission/write"),
        ("GET", "/api/v1/nodes", "clusterResource/nodes"),
        ("GET", "/metrics", "permission/metrics"),
        ("GET", "/apis", "default/discovery"),
        ("GET", "/healthz", "default/discovery"),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "default/self-review"),
    ],
)
def test_permitted_in_scope(method: str, raw: str, rule: str) -> None:
    permit = permitted(ask(SCOPED, method, raw))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))
    assert (permit.rule, permit.audited) == (rule, "")


@pytest.mark.parametrize(
    ("method", "raw", "rule"),
    [
        ("GET", "/api/v1/namespaces/team-c/pods", "tenant/namespace"),
        ("GET", "/api/v1/namespaces/TEAM-A/pods", "tenant/namespace"),
        ("GET", "/api/v1/watch/namespaces/team-c/pods", "tenant/namespace"),
        ("GET", "/api/v1/pods", "tenant/all-namespaces"),
        ("GET", "/api/v1/watch/pods", "tenant/all-namespaces"),
        ("GET", "/api/v1/pods?fieldSelector=metadata.namespace%3Dteam-a", "tenant/all-namespaces"),
        ("POST", "/api/v1/pods", "tenant/namespace"),
        ("GET", f"{A}/nodes", "tenant/cluster-scoped"),
        ("DELETE", "/api/v1/nodes/n", "tenant/cluster-scoped"),
        ("GET", "/api/v1/namespaces/team-a", "tenant/cluster-scoped"),
        ("PATCH", "/api/v1/namespaces/team-a/status", "tenant/cluster-scoped"),
        ("GET", "/api/v1/namespaces", "tenant/cluster-scoped"),
        ("GET", f"{A}/unknowns", "tenant/unknown-kind"),
        ("DELETE", f"{A}/pods", "default/deny"),
        ("DELETE", f"{A}/configmaps/secret-1", "permission/no"),
        ("GET", f"{A}/configmaps", "permission/no"),
        ("POST", f"{A}/pods/p/binding", "default/deny"),
        ("GET", "/logs", "default/deny"),
        ("POST", "/apis", "default/deny"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", "default/deny"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "unknown"),
        ("POST", "/apis/authorization.k8s.io/v1/namespaces/team-a/selfsubjectaccessreviews",
         "default/deny"),
    ],
)  # fmt: skip
def test_refused_out_of_scope(method: str, raw: str, rule: str) -> None:
    verdict = ask(SCOPED, method, raw)
    if rule == "unknown":
        assert isinstance(verdict, NeedScope)
    else:
        assert refused(verdict) == rule


def test_a_kind_that_is_not_known_is_asked_for() -> None:
    verdict = ask(SCOPED, "GET", f"{EXAMPLE}/namespaces/team-a/trips", scopes=Scopes())
    assert verdict == NeedScope("home", "example.com", "v1", "trips")
    verdict = ask(BOTH, "GET", f"{EXAMPLE}/namespaces/team-a/trips", scopes=Scopes())
    assert verdict == NeedScope("east", "example.com", "v1", "trips", ("west", "home"))
    # But not for what is refused anyway.
    raw = f"{EXAMPLE}/namespaces/team-c/trips"
    assert refused(ask(BOTH, "GET", raw, scopes=Scopes())) == "tenant/namespace"


def test_the_scope_of_a_kind_is_that_of_the_member_which_serves_it() -> None:
    raw = f"{EXAMPLE}/namespaces/team-a/trips"
    assert permitted(ask(BOTH, "GET", raw)).rule == "permission/read"
    assert refused(ask(SCOPED, "GET", raw)) == "tenant/unknown-kind"
    split = scopes_of(home={"trips": False}, east={"trips": True})
    assert refused(ask(BOTH, "GET", f"{EXAMPLE}/trips", scopes=split)) == "tenant/all-namespaces"


def test_mode_audit_tells_what_enforce_would_refuse_by() -> None:
    permit = permitted(ask(AUDIT, "DELETE", f"{A}/pods"))
    assert (permit.rule, permit.audited) == ("default/audit", "default/deny")
    permit = permitted(ask(AUDIT, "GET", f"{A}/configmaps/secret-1"))
    assert (permit.rule, permit.audited) == ("default/audit", "permission/no")
    permit = permitted(ask(AUDIT, "GET", "/logs"))
    assert (permit.rule, permit.audited) == ("default/audit", "default/deny")
    permit = permitted(ask(AUDIT, "GET", f"{A}/pods"))
    assert (permit.rule, permit.audited) == ("permission/read", "")
    assert refused(ask(AUDIT, "GET", "/api/v1/namespaces/team-c/pods")) == "tenant/namespace"


# Names in bodies


@pytest.mark.parametrize(
    ("raw", "meta", "expected"),
    [
        ("/apis/batch/v1/namespaces/team-a/jobs", {"name": "ci-1"}, "permission/ci"),
        ("/apis/batch/v1/namespaces/team-a/jobs", {"generateName": "ci-"}, "permission/ci"),
        ("/apis/batch/v1/namespaces/team-a/jobs", {"name": "x"}, None),
        ("/apis/batch/v1/namespaces/team-a/jobs", {"name": "x", "generateName": "ci-"}, None),
        ("/apis/batch/v1/namespaces/team-a/jobs", {}, None),
        (f"{A}/configmaps", {"name": "plain"}, "permission/write"),
        (f"{A}/configmaps", {"generateName": "plain-"}, "permission/write"),
        (f"{A}/configmaps", {"name": "secret-1"}, None),
        (f"{A}/configmaps", {"generateName": "secret-"}, None),
        (f"{A}/configmaps", {}, None),
    ],
)
def test_a_create_is_judged_by_the_name_in_its_body(
    raw: str, meta: dict[str, Any], expected: str | None
) -> None:
    assert ask(SCOPED, "POST", raw) == NeedBody()
    verdict = ask(SCOPED, "POST", raw, {"metadata": meta})
    if expected is None:
        assert isinstance(verdict, Denial)
    else:
        assert permitted(verdict).rule == expected


def test_an_apply_is_judged_by_the_name_in_its_path() -> None:
    body = {"metadata": {"name": "plain"}}
    verdict = ask(SCOPED, "PATCH", f"{A}/configmaps/secret-1", body)
    assert refused(verdict) == "permission/no"


PATCH_ONLY = TENANT._replace(
    permissions=(
        Permission("patch", "allow", ("patch",), ANY, ANY),
        Permission("own", "allow", ("create",), ("",), ("pods",), names=("own-*",)),
    )
)


def patch(by: Policy, raw: str, media_type: str) -> Verdict:
    body = Body(media_type, b'{"metadata":{"name":"x"}}')
    return decide(by, SCOPES, CALLER, call("PATCH", raw), body)


def test_an_apply_creates_only_what_may_be_created() -> None:
    by = policy(PATCH_ONLY)
    assert ask(by, "PATCH", f"{A}/pods/x") == NeedBody()
    for media_type in ("application/apply-patch+yaml", "Application/Apply-Patch+cbor"):
        assert refused(patch(by, f"{A}/pods/x", media_type)) == "default/deny"
        own = permitted(patch(by, f"{A}/pods/own-1", media_type))
        assert own.rule == "permission/patch"
    merged = permitted(patch(by, f"{A}/pods/x", "application/merge-patch+json"))
    assert merged.rule == "permission/patch"
    assert isinstance(ask(by, "PATCH", f"{A}/pods/own-1"), Permit)
    assert isinstance(ask(by, "PATCH", f"{A}/pods/x/status"), Permit)
    assert isinstance(ask(BARE, "PATCH", f"{A}/pods/x"), Permit)
    audit = policy(PATCH_ONLY._replace(mode="audit"))
    permit = permitted(patch(audit, f"{A}/pods/x", "application/apply-patch+yaml"))
    assert (permit.rule, permit.audited) == ("default/audit", "default/deny")


def test_a_body_that_does_not_tell_its_name() -> None:
    yaml = Body("application/yaml", b"metadata:\n  name: ci-1\n")
    info = call("POST", f"{A}/pods")
    assert isinstance(decide(ROUTED, SCOPES, CALLER, info, yaml), Denial)


# Routes


@pytest.mark.parametrize("by", [ROUTED, BOTH])
def test_a_route_by_name(by: Policy) -> None:
    assert permitted(ask(by, "GET", f"{A}/pods/ci-1")).plan == Plan(
        PlanKind.SINGLE, ("east",), "builds", inspected=True
    )
    assert permitted(ask(by, "GET", f"{A}/pods/x")).plan.candidates == ("home",)
    assert permitted(ask(by, "GET", f"{A}/pods")).plan.candidates == ("home",)
    assert ask(by, "POST", f"{A}/pods") == NeedBody()
    created = permitted(ask(by, "POST", f"{A}/pods", {"metadata": {"name": "ci-1"}}))
    assert created.plan.candidates == ("east",)
    created = permitted(ask(by, "POST", f"{A}/pods", {"metadata": {"generateName": "x-"}}))
    assert created.plan.candidates == ("home",)
    short = ask(policy(None, SHORT), "POST", f"{A}/pods", {"metadata": {"generateName": "ci-"}})
    assert refused(short) == "route/generate-name"


SHORT = (Route("short", 1, (Match(("",), ("pods",), names=("ci-b*",)),), (RouteMember("east"),)),)


def test_reads_may_fail_over_and_writes_may_not() -> None:
    raw = f"{EXAMPLE}/namespaces/team-a/trips"
    read = permitted(ask(ROUTED, "GET", raw)).plan
    assert read == Plan(
        PlanKind.SINGLE, ("east", "west", "home"), "example", tagged=True, inspected=True
    )
    written = permitted(ask(ROUTED, "DELETE", f"{raw}/t")).plan
    assert written == Plan(PlanKind.SINGLE, ("east",), "example", tagged=True, inspected=True)
    cars = permitted(ask(BOTH, "GET", f"{EXAMPLE}/cars")).plan
    assert cars == Plan(PlanKind.SINGLE, ("east",), "example")


OWNED = {"metadata": {"name": "ci-1", "ownerReferences": [{"uid": "1"}]}}


def test_owners_stay_on_their_cluster() -> None:
    for by in (ROUTED, BOTH):
        assert ask(by, "PUT", f"{A}/pods/ci-1") == NeedBody()
        assert refused(ask(by, "PUT", f"{A}/pods/ci-1", OWNED)) == "route/owner-references"
        assert refused(ask(by, "POST", f"{A}/pods", OWNED)) == "route/owner-references"
        assert isinstance(ask(by, "PUT", f"{A}/pods/x"), Permit)
        assert isinstance(ask(by, "DELETE", f"{A}/pods/ci-1"), Permit)


def test_discovery_is_completed_by_what_routes_add() -> None:
    assert permitted(ask(BOTH, "GET", "/apis")).plan == Plan(PlanKind.DISCOVERY, ("home", "east"))
    assert permitted(ask(ROUTED, "GET", "/apis/apps/v1")).plan == Plan(PlanKind.SINGLE, ("home",))


def test_what_is_only_asked_about_needs_no_body() -> None:
    asked = {"verb": "patch", "resource": "pods", "name": "ci-1", "namespace": "team-a"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for by in (ROUTED, BOTH):
        permit = permitted(ask(by, "POST", path, {"spec": {"resourceAttributes": asked}}))
        assert permit.plan == Plan(PlanKind.SINGLE, ("east",), "builds")


def test_no_rule_speaks_of_endless_names() -> None:
    for by in (SCOPED, ROUTED, AUDIT):
        assert refused(ask(by, "GET", f"{A}/pods/{'a' * 254}")) == "default/deny"
        assert isinstance(ask(by, "GET", f"{A}/pods/{'a' * 253}"), Permit)
