import pytest

from sidecar.policy.decide import Policy, compile_policy
from sidecar.policy.rules import Grant
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Tenant
from sidecar.policy.views import rules_view
from tests.sidecar.policy.calls import CALLER

ANY = ("*",)
PODS = (("get",), ("",), ("pods",))
TENANT = Tenant(
    "acme",
    "enforce",
    ("team-a", "team-b"),
    (
        Permission("pods", "allow", *PODS, names=("web-*",)),
        Permission("b", "allow", *PODS, namespaces=("*-b",)),
        Permission("ci", "allow", *PODS, containers=("ci",)),
        Permission("account", "allow", *PODS, service_accounts=("ci",)),
        Permission("tokens", "allow", ("create",), ("authentication.k8s.io",), ("tokenreviews",)),
        Permission("metrics", "allow", ("get",), non_resource_paths=("/metrics",)),
        Permission("no", "deny", *PODS, names=("db",)),
        Permission("no-b", "deny", ("*",), ANY, ANY, namespaces=("team-b",)),
        Permission("no-ci", "deny", *PODS, containers=("ci",)),
        Permission("no-slis", "deny", ("get",), non_resource_paths=("/metrics/slis",)),
    ),
    (ClusterResource("0", ("get",), ("",), ("nodes",), ("n-*",)),),
)
ROUTES = (
    Route("east", 1, (Match(("",), ("pods",), names=("x",)),), (RouteMember("east"),)),
    Route("own", 1, (Match(("",), ("pods",)),), (RouteMember("home"),)),
    Route("b", 1, (Match(("",), ("pods",), namespaces=("team-b",)),), (RouteMember("east"),)),
    Route("ci", 1, (Match(("",), ("pods",), containers=("ci",)),), (RouteMember("east"),)),
)


def policy(tenant: Tenant | None, routes: tuple[Route, ...] = ()) -> Policy:
    return compile_policy(Snapshot("r", "team-a", (), tenant, routes), None)


def allows(tenant: Tenant, namespace: str) -> dict[str, Grant]:
    view = rules_view(policy(tenant), Scopes(), CALLER, namespace)
    assert view.allows is not None
    return {grant.rule: grant for grant in view.allows if not grant.rule.startswith("default/")}


def denies(tenant: Tenant | None, namespace: str, routes: tuple[Route, ...] = ()) -> list[Grant]:
    return list(rules_view(policy(tenant, routes), Scopes(), CALLER, namespace).denies)


def test_what_is_allowed_in_a_namespace() -> None:
    pods = Grant("permission/pods", *PODS, ("web-*",), namespaced=True)
    found = allows(TENANT, "team-a")
    assert found["permission/pods"] == pods
    assert found["permission/metrics"] == Grant("permission/metrics", ("get",), paths=("/metrics",))
    nodes = Grant("clusterResource/0", ("get",), ("",), ("nodes",), ("n-*",), namespaced=False)
    assert found["clusterResource/0"] == nodes
    assert {"permission/b", "permission/ci", "permission/account", "permission/no"}.isdisjoint(
        found
    )
    assert "permission/b" in allows(TENANT, "team-b")


@pytest.mark.parametrize("namespace", ["", "team-c"])
def test_beyond_the_tenant_only_what_has_no_namespace(namespace: str) -> None:
    assert set(allows(TENANT, namespace)) == {
        "permission/tokens",
        "permission/metrics",
        "clusterResource/0",
    }


def test_reviews_are_allowed_by_their_name() -> None:
    view = rules_view(policy(TENANT), Scopes(), CALLER, "team-a")
    assert view.allows is not None
    reviews = ("authentication.k8s.io",), ("tokenreviews",)
    assert Grant("permission/tokens", ("create",), *reviews) in view.allows
    assert Grant("default/deny", ("*",), *reviews) in view.reserved


def test_what_all_may_do() -> None:
    view = rules_view(policy(TENANT), Scopes(), CALLER, "team-a")
    assert view.allows is not None
    rules = [grant.rule for grant in view.allows[:3]]
    assert rules == ["default/discovery", "default/self-review", "default/self-review"]


def test_what_is_denied() -> None:
    assert denies(TENANT, "team-a") == [
        Grant("permission/no", *PODS, ("db",)),
        Grant("permission/no-b", ("*",), ANY, ("namespaces",), ("team-b",)),
        Grant("permission/no-slis", ("get",), paths=("/metrics/slis",)),
    ]
    assert Grant("permission/no-b", ("*",), ANY, ANY) in denies(TENANT, "team-b")


def test_mode_audit() -> None:
    audit = TENANT._replace(mode="audit")
    assert denies(audit, "team-a") == []
    view = rules_view(policy(audit), Scopes(), CALLER, "team-a")
    assert view.allows is not None
    assert Grant("default/audit", ANY, ANY, ANY, namespaced=True) in view.allows
    assert Grant("default/audit", ANY, paths=ANY) in view.allows
    beyond = rules_view(policy(audit), Scopes(), CALLER, "team-c")
    assert beyond.allows is not None
    assert Grant("default/audit", ANY, ANY, ANY, namespaced=True) not in beyond.allows


def test_without_a_tenant_all_is_rbac_s() -> None:
    view = rules_view(policy(None), Scopes(), CALLER, "team-a")
    assert (view.allows, view.denies) == (None, ())


def test_what_another_cluster_answers() -> None:
    assert denies(None, "team-a", ROUTES) == [
        Grant("route/east", ("*",), ("",), ("pods",), ("x",), cluster="east"),
        Grant("route/own", ("*",), ("",), ("pods",), at_home=True),
    ]
    whole = Match(ANY, ANY, namespaces=("team-b",))
    assert denies(None, "team-a", (Route("w", 1, (whole,), (RouteMember("east"),)),)) == [
        Grant("route/w", ("*",), ANY, ("namespaces",), ("team-b",), cluster="east")
    ]
    rules = [grant.rule for grant in denies(None, "team-b", ROUTES)]
    assert rules == ["route/east", "route/own", "route/b"]


def test_what_only_a_route_by_name_moves() -> None:
    view = rules_view(policy(None, ROUTES), Scopes(), CALLER, "team-a")
    assert ("coordination.k8s.io", "leases") in view.stays_home


def test_kinds_are_known_by_what_home_told() -> None:
    scopes = Scopes()
    scopes.learn("home", "", "v1", {"pods": True, "nodes": False})
    scopes.learn("east", "", "v1", {"cars": True})
    view = rules_view(policy(TENANT), scopes, CALLER, "team-a")
    assert view.is_namespaced("", "pods") is True
    assert view.is_namespaced("", "nodes") is False
    assert view.is_namespaced("", "cars") is None
