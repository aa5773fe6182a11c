import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.policy.decide import Policy, compile_policy, decide
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import (
    Cluster,
    ClusterResource,
    Match,
    Permission,
    Route,
    RouteMember,
    Snapshot,
    Tenant,
    TokenFile,
)
from sidecar.policy.verdict import (
    Answer,
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

ROOT = Path(__file__).parents[3]
ANY = ("*",)
A = "/api/v1/namespaces/team-a"
TOKEN = f"{A}/serviceaccounts/x/token"
EXAMPLE = "/apis/example.com/v1"


def cluster(name: str, server: str) -> Cluster:
    return Cluster(name, f"https://{server}:443", server, 443, b"pem", None, None, TokenFile("/t"))


CLUSTERS = (
    cluster("home", "10.96.0.1"),
    cluster("east", "10.96.0.2"),
    cluster("west", "10.96.0.3"),
)
PLAIN = Snapshot("rev-1", "team-a", CLUSTERS)
TENANT = Tenant(
    "acme",
    "enforce",
    ("team-a", "team-b"),
    (
        Permission("read", "allow", ("get", "list", "watch"), ANY, ANY),
        Permission("write", "allow", ("create", "update", "patch", "delete"), ("",), ANY),
        Permission("ci", "allow", ("create",), ("batch",), ("jobs",), names=("ci-*",)),
        Permission("no", "deny", ANY, ("",), ("configmaps",), names=("secret-*",)),
        Permission("metrics", "allow", ("get",), non_resource_paths=("/metrics",)),
    ),
    (
        ClusterResource("nodes", ("get", "list"), ("",), ("nodes",)),
        ClusterResource("cars", ANY, ("example.com",), ANY),
    ),
)
ROUTES = (
    Route("builds", 9, (Match(("",), ("pods",), names=("ci-*",)),), (RouteMember("east"),)),
    Route(
        "example",
        5,
        (Match(("example.com",), ("*",)),),
        (RouteMember("east"),),
        stand_ins=("west", "home"),
    ),
)


def scopes_of(**more: dict[str, bool]) -> Scopes:
    scopes = Scopes()
    for name in ("home", "east", "west"):
        core = {"pods": True, "configmaps": True, "secrets": True, "nodes": False}
        scopes.learn(name, "", "v1", {**core, "serviceaccounts": True, "services": True})
        scopes.learn(name, "batch", "v1", {"jobs": True})
    for name, kinds in more.items():
        scopes.learn(name, "example.com", "v1", kinds)
    return scopes


SCOPES = scopes_of(home={}, east={"trips": True, "cars": False})


def policy(
    tenant: Tenant | None = TENANT, routes: tuple[Route, ...] = (), known: bool = True
) -> Policy:
    snapshot = Snapshot("rev-1", "team-a", CLUSTERS, tenant, routes)
    return compile_policy(snapshot, frozenset({"https://issuer.example.com"}) if known else None)


BARE = policy(None)
SCOPED = policy()
ROUTED = policy(None, ROUTES)
BOTH = policy(TENANT, ROUTES)
AUDIT = policy(TENANT._replace(mode="audit"), ROUTES)


def ask(by: Policy, method: str, raw: str, body: object = None, scopes: Scopes = SCOPES) -> Verdict:
    sent = None if body is None else Body("application/json", json.dumps(body).encode())
    return decide(by, scopes, CALLER, call(method, raw), sent)


def permitted(verdict: Verdict) -> Permit:
    assert isinstance(verdict, Permit), verdict
    return verdict


def refused(verdict: Verdict) -> str:
    assert isinstance(verdict, Denial), verdict
    assert verdict.message.isprintable()
    assert ": " in verdict.message, "says what to do"
    return verdict.rule


# Without a tenant and routes


@pytest.mark.parametrize("raw", ["/api/v1/pods", "/version", "/apis/example.com/v1/widgets/w"])
def test_without_a_tenant_the_home_cluster_serves_everything(raw: str) -> None:
    permit = permitted(ask(BARE, "GET", raw, scopes=Scopes()))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))
    assert (permit.rule, permit.audited) == ("default/rbac", "")
    assert (BARE.revision, BARE.tenant, SCOPED.tenant) == ("rev-1", None, TENANT)


# Guards


@pytest.mark.parametrize("by", [BARE, SCOPED, ROUTED, BOTH, AUDIT])
@pytest.mark.parametrize(
    ("method", "raw", "rule"),
    [
        ("GET", "/api/v1/nodes/n/proxy", "guard/proxy"),
        ("GET", f"{A}/services/s/proxy/x", "guard/proxy"),
        ("GET", "/api/v1/proxy/namespaces/team-a/pods/p", "guard/proxy"),
        ("GET", f"{A}/pods/p/exec?container=mca", "guard/sidecar-container"),
        ("GET", TOKEN, "guard/token-request"),
    ],
)
def test_guards_come_first(by: Policy, method: str, raw: str, rule: str) -> None:
    verdict = ask(by, method, raw)
    assert isinstance(verdict, Denial)
    assert verdict.rule == rule


def ask_token(known: frozenset[str] | None, audience: str) -> Verdict:
    by = compile_policy(PLAIN, known)
    body = {"spec": {"audiences": [audience]}}
    return ask(by, "POST", TOKEN, body)


def test_a_body_is_asked_for_and_then_judged() -> None:
    assert isinstance(ask(BARE, "POST", TOKEN), NeedBody)
    known = frozenset({"https://Issuer.example.com/"})
    assert isinstance(ask_token(known, "vault"), Permit)
    assert isinstance(ask_token(known, "https://issuer.example.com"), Denial)


def test_a_member_s_address_is_no_audience() -> None:
    assert isinstance(ask_token(frozenset(), "https://10.96.0.1"), Denial)
    assert isinstance(ask_token(frozenset(), "https://10.96.0.2"), Denial)
    assert isinstance(ask_token(frozenset(), "https://10.96.0.4"), Permit)


def test_unknown_audiences_refuse_every_token() -> None:
    assert isinstance(ask_token(None, "vault"), Denial)


def test_no_body_is_gathered_for_what_is_refused_anyway() -> None:
    raw = "/api/v1/namespaces/team-c/secrets"
    assert refused(ask(SCOPED, "POST", raw)) == "tenant/namespace"
    assert isinstance(ask(SCOPED, "POST", f"{A}/secrets"), NeedBody)
    assert isinstance(ask(SCOPED, "POST", f"{A}/secrets", scopes=Scopes()), NeedScope)
    assert isinstance(ask(SCOPED, "POST", f"{A}/secrets", {"metadata": {"name": "a"}}), Permit)


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
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", "unknown"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "unknown"),
        ("POST", "/apis/authorization.k8s.io/v1/namespaces/team-a/selfsubjectaccessreviews",
         "unknown"),
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
    assert isinstance(review(by, verb="patch", resource="pods", namespace="team-a"), Permit)


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


# What callers ask about themselves

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


def review(by: Policy, **attributes: str) -> Verdict:
    return ask(by, "POST", REVIEW, {"spec": {"resourceAttributes": attributes}})


def no(verdict: Verdict) -> str:
    assert isinstance(verdict, Answer), verdict
    status = json.loads(verdict.content)["status"]
    assert (verdict.code, status["allowed"]) == (201, False)
    assert verdict.rule in status["reason"]
    return verdict.rule


@pytest.mark.parametrize("by", [BARE, SCOPED, ROUTED, BOTH, AUDIT])
def test_a_review_is_judged_as_the_call_that_it_asks_about(by: Policy) -> None:
    assert isinstance(ask(by, "POST", REVIEW), NeedBody)
    permit = permitted(review(by, verb="get", resource="pods", namespace="team-a"))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))
    assert no(review(by, verb="get", resource="pods", subresource="proxy")) == "guard/proxy"
    assert no(review(by, verb="impersonate", resource="users")) == "guard/impersonation"
    path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert permitted(ask(by, "POST", REVIEW, path)).plan.candidates == ("home",)
    assert isinstance(ask(by, "POST", REVIEW, {"spec": {}}), Denial)
    token = {"verb": "create", "resource": "serviceaccounts", "subresource": "token"}
    assert isinstance(review(by, **token, namespace="team-a"), Permit)


@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        ({"verb": "get", "resource": "pods", "namespace": "team-c"}, "tenant/namespace"),
        ({"verb": "list", "resource": "pods"}, "tenant/all-namespaces"),
        ({"verb": "delete", "resource": "nodes", "namespace": "team-a"}, "tenant/cluster-scoped"),
        ({"verb": "delete", "resource": "nodes"}, "tenant/cluster-scoped"),
        ({"verb": "get", "resource": "namespaces", "name": "team-a"}, "tenant/cluster-scoped"),
        ({"verb": "get", "resource": "cars", "group": "x.io", "version": "v1"}, None),
        ({"verb": "deletecollection", "resource": "pods", "namespace": "team-a"}, "default/deny"),
        ({"verb": "create", "resource": "jobs", "group": "batch", "version": "v1",
          "namespace": "team-a"}, "default/deny"),
        ({"verb": "create", "resource": "configmaps", "namespace": "team-a"}, "permission/no"),
        ({"verb": "*", "resource": "pods", "namespace": "team-a"}, "default/deny"),
        ({"verb": "get", "resource": "*", "group": "*"}, "default/deny"),
    ],
)  # fmt: skip
def test_what_policy_refuses_is_answered_with_a_no(
    attributes: dict[str, str], rule: str | None
) -> None:
    verdict = review(SCOPED, **attributes)
    if rule is None:
        assert isinstance(verdict, NeedScope)
    else:
        assert no(verdict) == rule


@pytest.mark.parametrize("namespace", ["", "team-a", "team-c"])
def test_kubectl_names_a_namespace_for_kinds_that_have_none(namespace: str) -> None:
    permit = permitted(review(SCOPED, verb="get", resource="nodes", namespace=namespace))
    assert permit.rule == "clusterResource/nodes"


@pytest.mark.parametrize(("version", "asked"), [("", ""), ("*", ""), ("v2", "v2")])
def test_a_review_need_not_name_a_version(version: str, asked: str) -> None:
    attributes = {"verb": "get", "group": "x.io", "resource": "boats", "version": version}
    expected = NeedScope("home", "x.io", asked, "boats")
    assert review(SCOPED, **attributes) == expected
    assert review(SCOPED, **{**attributes, "verb": "*"}) == expected
    assert isinstance(review(BARE, **{**attributes, "verb": "*"}), Permit)


def test_a_review_is_answered_by_the_member_that_would_serve() -> None:
    attributes = {"group": "example.com", "version": "v1", "namespace": "team-a"}
    permit = permitted(review(BOTH, verb="get", resource="trips", **attributes))
    assert permit.plan == Plan(PlanKind.SINGLE, ("east",), "example")
    permit = permitted(review(ROUTED, verb="create", resource="pods", namespace="team-a"))
    assert permit.plan == Plan(PlanKind.SINGLE, ("home",))


def test_a_review_in_mode_audit() -> None:
    permit = permitted(review(AUDIT, verb="create", resource="pods", namespace="team-a"))
    assert permit.audited == ""
    permit = permitted(review(AUDIT, verb="deletecollection", resource="pods", namespace="team-a"))
    assert permit.audited == "default/deny"


def test_everything_at_once_is_allowed_only_if_each_thing_is() -> None:
    everything = {"verb": "*", "group": "*", "resource": "*", "namespace": "team-a"}
    assert isinstance(review(BARE, **everything), Permit)
    assert no(review(SCOPED, **everything)) == "default/deny"
    assert isinstance(review(BARE, verb="*", resource="pods", namespace="team-a"), Permit)
    path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "*"}}}
    assert no(ask(SCOPED, "POST", REVIEW, path)) == "default/deny"


def test_rules_reviews() -> None:
    assert permitted(ask(BARE, "POST", RULES)).plan == Plan(PlanKind.SINGLE, ("home",))
    for by in (SCOPED, ROUTED, AUDIT):
        assert isinstance(ask(by, "POST", RULES), NeedBody)
        permit = permitted(ask(by, "POST", RULES, {"spec": {"namespace": "team-a"}}))
        assert permit.plan == Plan(PlanKind.RULES_REVIEW, ("home",))
        assert isinstance(ask(by, "POST", RULES, []), Denial)


def test_only_decide_can_make_a_permit() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for folder in ("sidecar", "webhook")
        for path in (ROOT / folder).rglob("*.py")
        if "_PERMIT_KEY" in path.read_text()
    }
    assert naming == {"sidecar/policy/verdict.py", "sidecar/policy/decide.py"}
