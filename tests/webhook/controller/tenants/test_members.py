"""A tenant's namespaces on a member: made, withdrawn, taken back."""

import base64
from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.controller.tenants.scene import SYSTEM, Controller, Home, Raw
from webhook.cli.cluster.home_objects import build_credential, render_kubeconfig
from webhook.cli.cluster.identity import Home as HomeIdentity, name_secret
from webhook.cli.install.paths import find_path
from webhook.controller.tenants.kinds import BINDING, NETWORK, QUOTA
from webhook.resources.names import API_VERSION, CLUSTERS_PATH, TENANTS_PATH
from webhook.resources.profiles import build_roles

pytestmark = pytest.mark.usefixtures("controller")
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
SPEC: Raw = {
    "clusters": ["eu"],
    "quota": {"pods": "10"},
    "network": {"isolate": True},
    "owners": [{"kind": "User", "name": "ann"}],
}


@pytest.fixture(scope="module")
def member(home: Home) -> Iterator[ControlPlane]:
    """Registered by a credential that may do all; what less would do is the commands' business."""
    with ControlPlane() as plane:
        for role in build_roles():
            plane.create(find_path(role).rpartition("/")[0], role)
        ca = base64.b64encode(plane.ca_pem.encode()).decode()
        text = render_kubeconfig(plane.url, ca, plane.tokens["admin"])
        here = HomeIdentity("0123456789", SYSTEM)
        for document in build_credential(here, "eu", text, ""):
            home.plane.create(find_path(document).rpartition("/")[0], document)
        credentials = {"tokenRequest": {"secretRef": {"name": name_secret("eu")}}}
        cluster = {
            "apiVersion": API_VERSION,
            "kind": "Cluster",
            "metadata": {"name": "eu"},
            "spec": {"server": plane.url, "caBundle": ca, "credentials": credentials},
        }
        assert home.plane.request("POST", CLUSTERS_PATH, cluster).status == 201
        yield plane


def has(plane: ControlPlane, path: str) -> bool:
    return plane.request("GET", path).status == 200


def test_a_tenant_is_provisioned_on_its_members_and_taken_back(
    home: Home, member: ControlPlane, controller: Controller
) -> None:
    choice = {"names": ["abroad"], "create": True, "reclaim": "delete"}
    home.make_tenant("abroad", **SPEC, namespaces=choice)
    home.wait(lambda: home.is_ready("abroad"), controller.log()[-2000:])
    assert home.conditions("abroad")["Members"]["reason"] == "NothingAsked"
    assert not has(member, "/api/v1/namespaces/abroad")

    home.make_tenant("abroad", **SPEC, namespaces=choice, onMembers=True)
    home.wait(lambda: home.is_ready("abroad"), controller.log()[-2000:])
    assert home.conditions("abroad")["Members"]["message"] == "on eu"
    namespace = member.request("GET", "/api/v1/namespaces/abroad").json()
    assert namespace["metadata"]["labels"]["mca.io/tenant"] == "abroad"
    assert "mca.io/injection" not in namespace["metadata"]["labels"]
    binding = BINDING.path("abroad", "mca-profile-standard")
    for path in (QUOTA.path("abroad", "mca-quota"), NETWORK.path("abroad", "mca-dns"), binding):
        assert has(member, path)

    # The cluster is the tenant's no more: access goes, what bounds it stays. Where no guards are,
    # an owner may have let somebody else in.
    backdoor = {
        "metadata": {"name": "backdoor"},
        "roleRef": {**ROLE, "name": "mca-profile-elevated"},
        "subjects": [{"kind": "User", "name": "bob"}],
    }
    member.create(BINDING.path("abroad"), backdoor)
    member.create(
        BINDING.path("abroad"),
        {**backdoor, "metadata": {"name": "theirs"}, "roleRef": {**ROLE, "name": "view"}},
    )
    home.make_tenant("abroad", **{**SPEC, "clusters": []}, namespaces=choice, onMembers=True)
    home.wait(lambda: not has(member, binding), "access is withdrawn")
    home.wait(lambda: not has(member, BINDING.path("abroad", "backdoor")), "withdrawn, too")
    assert has(member, BINDING.path("abroad", "theirs"))
    home.wait(lambda: home.is_ready("abroad"))
    assert has(member, QUOTA.path("abroad", "mca-quota"))

    home.make_tenant("abroad", **SPEC, namespaces=choice, onMembers=True)
    home.wait(lambda: has(member, binding), "access comes back")
    assert home.send("DELETE", f"{TENANTS_PATH}/abroad") == 200
    home.wait(lambda: _is_ending(member), "taken back there")
    _finalize(member)
    home.finalize("abroad")
    home.wait(lambda: home.get(f"{TENANTS_PATH}/abroad") is None, "gone")


def test_a_namespace_of_somebody_else_on_a_member_is_not_taken(
    home: Home, member: ControlPlane
) -> None:
    member.create_namespace("theirs")
    home.make_tenant(
        "theirs", **SPEC, namespaces={"names": ["theirs"], "create": True}, onMembers=True
    )
    home.wait(lambda: home.fails("theirs", "Members").startswith("NotHandedOver: eu: "))
    assert not has(member, QUOTA.path("theirs", "mca-quota"))


def _is_ending(plane: ControlPlane) -> bool:
    answer = plane.request("GET", "/api/v1/namespaces/abroad")
    return answer.status == 200 and "deletionTimestamp" in answer.json()["metadata"]


def _finalize(plane: ControlPlane) -> None:
    raw = plane.request("GET", "/api/v1/namespaces/abroad").json()
    raw["spec"] = {"finalizers": []}
    assert plane.request("PUT", "/api/v1/namespaces/abroad/finalize", raw).status == 200
