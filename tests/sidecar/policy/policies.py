"""One tenant, two routes and three clusters, in every combination, and how tests ask them."""

import json

from sidecar.policy.decide import Policy, compile_policy, decide
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Cluster, Snapshot, TokenFile
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Tenant
from sidecar.policy.verdict import (
    Body,
    Denial,
    Permit,
    Verdict,
)
from tests.sidecar.policy.calls import CALLER, call

ANY = ("*",)
A = "/api/v1/namespaces/team-a"
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
