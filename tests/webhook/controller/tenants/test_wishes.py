"""What a Tenant states, object by object."""

import pytest

from tests.webhook.controller.tenants.examples import AROUND, FULL, UID, make_tenant
from webhook.controller.tenants.kinds import Step
from webhook.controller.tenants.wishes import Wish, list_names, list_steps, list_wishes
from webhook.resources.names import CREATED_BY, LABEL_TENANT


def wish(**spec: object) -> dict[str, Wish]:
    found = list_wishes(make_tenant(**spec), "acme-a", AROUND, ())
    return {each.place.shown.replace("acme-a/", ""): each for each in found}


def test_rights_come_after_all_that_bounds_them() -> None:
    assert list(wish(**FULL)) == [
        "ResourceQuota mca-quota",
        "LimitRange mca-limits",
        "NetworkPolicy mca-default-deny",
        "NetworkPolicy mca-dns",
        "NetworkPolicy mca-api",
        "ServiceAccount runner",
        "RoleBinding mca-profile-standard",
    ]


def test_everything_is_marked() -> None:
    for each in wish(**FULL).values():
        metadata = each.body["metadata"]
        assert metadata["labels"][LABEL_TENANT] == "acme"
        assert metadata["annotations"] == {CREATED_BY: UID}
        assert metadata["namespace"] == "acme-a"


def test_what_is_not_asked_for_is_not_made() -> None:
    assert wish() == {}
    assert list_steps(make_tenant()) == {Step.NAMESPACES}
    assert list_steps(make_tenant(**FULL)) == set(Step)


def test_limits_are_of_containers_unless_they_say_otherwise() -> None:
    found = wish(containerLimits=[{"max": {"cpu": "1"}}, {"type": "Pod", "max": {"cpu": "2"}}])
    limits = found["LimitRange mca-limits"].body["spec"]["limits"]
    assert [item["type"] for item in limits] == ["Container", "Pod"]


def test_owners_and_accounts_get_the_profiles_rights() -> None:
    owners = [
        {"kind": "User", "name": "ann"},
        {"kind": "ServiceAccount", "name": "ci", "namespace": "build"},
        {"kind": "ServiceAccount", "name": "near"},
    ]
    found = wish(profile="elevated", owners=owners, serviceAccounts=["runner"])
    binding = found["RoleBinding mca-profile-elevated"].body
    assert binding["roleRef"]["kind"] == "ClusterRole"
    assert binding["roleRef"]["name"] == "mca-profile-elevated"
    group = "rbac.authorization.k8s.io"
    assert binding["subjects"] == [
        {"apiGroup": group, "kind": "User", "name": "ann"},
        {"kind": "ServiceAccount", "name": "ci", "namespace": "build"},
        {"kind": "ServiceAccount", "name": "near", "namespace": "acme-a"},
        {"kind": "ServiceAccount", "name": "runner", "namespace": "acme-a"},
    ]


def test_custom_roles_are_bound_each_by_its_own_name() -> None:
    owners = [{"kind": "User", "name": "ann"}]
    found = wish(profile="custom", roles=["viewer", "viewer", "ops:run"], owners=owners)
    assert list(found) == ["RoleBinding mca-custom-viewer", "RoleBinding mca-custom-ops:run"]


@pytest.mark.parametrize(
    ("network", "names"),
    [({"isolate": True}, ["https://b.example"]), ({}, [])],
)
def test_members_known_by_name_are_told(network: dict[str, bool], names: list[str]) -> None:
    servers = ("https://10.0.0.9", "https://b.example")
    tenant = make_tenant(network=network)
    assert list_names(tenant, servers) == names


def test_members_with_addresses_are_let_through() -> None:
    tenant = make_tenant(network={"isolate": True})
    found = list_wishes(tenant, "acme-a", AROUND, ("https://10.0.0.9:6443", "https://b.example"))
    policy = next(each for each in found if each.place.name == "mca-api")
    assert "10.0.0.9/32" in policy.content
