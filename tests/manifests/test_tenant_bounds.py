"""Who has access to a Tenant's namespace, and what reaches an isolated one, its admins say."""

from typing import Any

import pytest

from tests.manifests.scene import RBAC, Guarded, assert_passed, assert_refused, wait_until

pytestmark = pytest.mark.apiserver
ACCESS = "mca-tenant-access"
NETWORK = "mca-tenant-network"
BINDINGS = RBAC + "/namespaces/{}/rolebindings"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
GROUP = "rbac.authorization.k8s.io"
OWN = {"kind": "ServiceAccount", "name": "app", "namespace": "held"}
BOB = {"apiGroup": GROUP, "kind": "User", "name": "bob"}
PEOPLE = [
    BOB,
    {"apiGroup": GROUP, "kind": "Group", "name": "system:serviceaccounts:held"},
    {"apiGroup": GROUP, "kind": "User", "name": "system:serviceaccount:held:app"},
    {"kind": "ServiceAccount", "name": "app", "namespace": "plain"},
]


def bind(name: str, *subjects: dict[str, Any], role: str = "edit") -> dict[str, Any]:
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
    return {"metadata": {"name": name}, "roleRef": reference, "subjects": list(subjects)}


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"podSelector": {}, **spec}}


@pytest.mark.parametrize("subject", PEOPLE)
def test_a_tenant_lets_nobody_in(guarded: Guarded, subject: dict[str, Any]) -> None:
    answer = guarded.call(
        "POST", BINDINGS.format("held"), bind("more", OWN, subject), namespace="held"
    )
    assert_refused(answer, ACCESS, "spec.owners", f"{subject['kind']} {subject['name']}")


def test_its_own_accounts_it_gives_what_it_has(guarded: Guarded) -> None:
    path = BINDINGS.format("held")
    assert_passed(guarded.call("POST", path, bind("own", OWN), namespace="held"))
    mine = f"{path}/own"
    for subjects in ([OWN, BOB], [BOB]):
        assert_refused(guarded.patch(mine, {"subjects": subjects}, namespace="held"), ACCESS)
    other = OWN | {"name": "other"}
    assert_passed(guarded.patch(mine, {"subjects": [OWN, other]}, namespace="held"))
    assert_passed(guarded.call("DELETE", mine, namespace="held"))


def test_what_was_there_before_is_cut_down_and_not_added_to(guarded: Guarded) -> None:
    admin = guarded.plane.tokens["admin"]
    path = BINDINGS.format("held")
    ann = BOB | {"name": "ann"}
    assert_passed(guarded.call("POST", path, bind("before", BOB, ann), token=admin))
    mine = f"{path}/before"
    assert_passed(guarded.patch(mine, {"metadata": {"labels": {"a": "b"}}}, namespace="held"))
    assert_passed(guarded.patch(mine, {"subjects": [ann]}, namespace="held"))
    assert_refused(guarded.patch(mine, {"subjects": [ann, BOB]}, namespace="held"), ACCESS, "bob")
    assert_passed(guarded.call("DELETE", mine, namespace="held"))


@pytest.mark.parametrize("role", ["mca-profile-standard", "mca-profile-elevated"])
def test_people_get_profiles_by_the_controller_alone(guarded: Guarded, role: str) -> None:
    """Of whoever else bound one nothing would be left: so an admin is told."""
    path = BINDINGS.format("held")
    for token in (guarded.tenants["held"], guarded.plane.tokens["admin"]):
        answer = guarded.call("POST", path, bind("profile", OWN, BOB, role=role), token=token)
        assert_refused(answer, ACCESS, "spec.owners")
        assert_passed(guarded.call("POST", path, bind("own", OWN, role=role), token=token))
        assert_passed(guarded.call("DELETE", f"{path}/own", namespace="held"))
    assert_passed(
        guarded.call("POST", path, bind("profile", BOB, role=role), token=guarded.controller)
    )
    assert_passed(guarded.call("DELETE", f"{path}/profile", namespace="held"))


@pytest.mark.parametrize("namespace", ["team", "plain"])
def test_where_no_tenant_is_people_are_bound_as_ever(guarded: Guarded, namespace: str) -> None:
    path = BINDINGS.format(namespace)
    for role in ("edit", "mca-profile-standard"):
        assert_passed(guarded.call("POST", path, bind("more", BOB, role=role), namespace=namespace))
        assert_passed(guarded.call("DELETE", f"{path}/more", namespace=namespace))


def test_a_claim_without_its_label_is_a_tenants_still(guarded: Guarded) -> None:
    claim = {"name": "claimed", "annotations": {"mca.io/tenant-uid": "u-1"}}
    guarded.make("/api/v1/namespaces", {"metadata": claim})
    path = BINDINGS.format("claimed")
    everything = bind("owner", {**OWN, "namespace": "team", "name": "owner"}, role="cluster-admin")
    assert_passed(guarded.call("POST", path, everything, token=guarded.plane.tokens["admin"]))

    def refuses() -> bool:
        answer = guarded.call("POST", path, bind("more", BOB))
        return answer.status == 403 and ACCESS in answer.body.decode()

    # The authorizer learns of the binding a moment later.

    wait_until(refuses)


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_nothing_more_is_let_through(guarded: Guarded, way: str) -> None:
    path = POLICIES.format("held")
    opened = policy("open", **{way: [{}]})
    for token in (guarded.tenants["held"], guarded.plane.tokens["admin"]):
        answer = guarded.call("POST", path, opened, token=token)
        assert_refused(answer, NETWORK, "spec.network.allow")
    assert_passed(guarded.call("POST", path, opened, token=guarded.controller))
    mine = f"{path}/open"
    more = {"spec": {"policyTypes": ["Egress"]}}
    assert_refused(guarded.patch(mine, more, namespace="held"), NETWORK)
    assert_passed(guarded.patch(mine, {"metadata": {"labels": {"a": "b"}}}, namespace="held"))
    assert_passed(guarded.call("DELETE", mine, namespace="held"))


@pytest.mark.parametrize("namespace", ["team", "plain"])
def test_where_nothing_is_isolated_policies_are_free(guarded: Guarded, namespace: str) -> None:
    path = POLICIES.format(namespace)
    assert_passed(guarded.call("POST", path, policy("open", egress=[{}]), namespace=namespace))
    assert_passed(guarded.call("DELETE", f"{path}/open", namespace=namespace))
