"""Tenants are read whole or not at all; their routes one by one."""

from typing import Any

import pytest

from tests.webhook.resources.objects import EVERYTHING, make_match, make_route, make_tenant
from webhook.resources.meta import Invalid
from webhook.resources.tenants import Network, Owner, Tenant, parse_tenant


def parse(**spec: Any) -> Tenant:
    tenant = parse_tenant(make_tenant(**spec))
    assert isinstance(tenant, Tenant), tenant
    return tenant


def admin_route(name: Any = "dev", **spec: Any) -> dict[str, Any]:
    return {"name": name, **make_route(name="x")["spec"], **spec}


def test_what_is_left_out_has_its_usual_value() -> None:
    tenant = parse()
    assert (tenant.name, tenant.uid) == ("acme", "uid-acme")
    assert (tenant.mode, tenant.boundary, tenant.profile) == ("enforce", "enforced", "standard")
    assert tenant.permissions == (EVERYTHING,)
    assert tenant[4:5] + tenant[6:9] == ((), (), None, ())
    assert tenant.network == Network()
    assert (tenant.quota, tenant.on_members) == ({}, False)


def test_a_whole_tenant() -> None:
    owner = {"kind": "ServiceAccount", "name": "ci", "namespace": "build"}
    peer: dict[str, Any] = {"from": [{"podSelector": {}}]}
    tenant = parse(
        mode="audit",
        boundary="none",
        clusters=["eu-1", "eu-2", "eu-1"],
        clusterResources=[{"verbs": ["get"], "groups": [""], "resources": ["nodes"]}],
        limits={"watches": 3},
        profile="custom",
        roles=["view"],
        owners=[owner, {"kind": "User", "name": "jo", "namespace": 1}],
        serviceAccounts=["app"],
        quota={"pods": 10, "requests.cpu": "4", "odd": True, "none": None},
        containerLimits=[{"type": "Container", "default": {"cpu": "1"}}],
        network={"isolate": True, "allow": {"ingress": [peer], "egress": [{}]}},
        onMembers=True,
        routes=[admin_route(priority=7)],
    )
    assert (tenant.mode, tenant.boundary) == ("audit", "none")
    assert tenant.clusters == ("eu-1", "eu-2")
    assert tenant.cluster_resources[0]["resources"] == ["nodes"]
    assert tenant.limits == {"watches": 3}
    assert (tenant.profile, tenant.roles) == ("custom", ("view",))
    assert tenant.owners == (Owner("ServiceAccount", "ci", "build"), Owner("User", "jo"))
    assert tenant.service_accounts == ("app",)
    assert tenant.quota == {"pods": "10", "requests.cpu": "4"}
    assert tenant.container_limits[0]["type"] == "Container"
    assert tenant.network == Network(True, (peer,), ({},))
    assert tenant.on_members
    (route,) = tenant.routes
    assert (route.name, route.priority, route.clusters) == ("dev", 7, ("eu-1",))
    assert "name" not in route.entry


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"mode": "off"}, "spec.mode: must be enforce"),
        ({"boundary": "some"}, "spec.boundary: must be one of enforced, none"),
        ({"profile": "root"}, "spec.profile: must be one of standard, elevated, custom"),
        ({"profile": "custom"}, "spec.roles: profile custom needs the names of ClusterRoles"),
        ({"owners": [{"kind": "Robot", "name": "x"}]}, "spec.owners[0]: must be a User"),
        ({"owners": [{"kind": "User"}]}, "spec.owners[0]: must be a User"),
        ({"permissions": [{}]}, "spec.permissions[0].name: is missing"),
        ({"permissions": [EVERYTHING] * 2}, "spec.permissions[1].name: 'all' stands twice"),
        ({"limits": {"watches": -1}}, "spec.limits.watches: must be a whole number"),
        ({"clusterResources": [{}]}, "spec.clusterResources[0].verbs: is missing"),
        ({"namespaces": {"selector": {}}}, "spec.namespaces.selector: is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(spec: Any, told: str) -> None:
    invalid = parse_tenant(make_tenant(**spec))
    assert isinstance(invalid, Invalid)
    assert told in "\n".join(invalid.problems)


def test_its_name_is_judged_too() -> None:
    invalid = parse_tenant(make_tenant("a.b"))
    assert isinstance(invalid, Invalid)
    assert invalid.problems[0].startswith("metadata.name: must be a DNS-1123 label")


def test_a_route_that_is_wrong_does_not_take_the_tenant_with_it() -> None:
    locks = [make_match("leases", groups=("*",))]
    tenant = parse(
        routes=[
            admin_route(match=locks),
            admin_route("good"),
            admin_route("good"),
            admin_route(["odd"]),
            admin_route("high", priority=1000),
            admin_route("yes", priority=True),
            "none",
        ]
    )
    told = {(route.name, bool(route.problems)) for route in tenant.routes}
    assert told == {
        ("dev", True), ("good", False), ("good", True), ("['odd']", True), ("high", True),
        ("yes", True),
    }  # fmt: skip
    assert tenant.routes[0].problems[0].startswith("spec.routes[0].match[0]: would split locks")
    assert tenant.routes[0].clusters == ()
    assert "stands twice" in tenant.routes[2].problems[0]
    assert "spec.routes[4].priority: must be a whole number from 0 to 999" in str(tenant.routes)
