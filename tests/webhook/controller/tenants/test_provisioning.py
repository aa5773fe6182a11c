"""Tenants on a real API server, with the rights and guards that are installed."""

from typing import Any

import pytest

from tests.webhook.controller.tenants.scene import SYSTEM, Controller, Home, Raw
from webhook.controller.tenants.kinds import ACCOUNT, BINDING, LIMITS, NETWORK, QUOTA
from webhook.resources.names import CREATED_BY, LABEL_TENANT, TENANT_UID, TENANTS_PATH

pytestmark = pytest.mark.usefixtures("controller")
RBAC = "rbac.authorization.k8s.io"
FULL = {
    "quota": {"pods": "10", "requests.cpu": "4000m"},
    "containerLimits": [{"type": "Container", "max": {"cpu": "1"}}],
    "network": {
        "isolate": True,
        "allow": {"egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]},
    },
    "serviceAccounts": ["runner"],
    "owners": [{"kind": "User", "name": "ann"}],
}


def make(home: Home, name: str, **more: object) -> str:
    """A tenant with one namespace of its own name, which it makes."""
    spec = {**FULL, "namespaces": {"names": [name], "create": True}, **more}
    home.make_tenant(name, **spec)
    return f"/api/v1/namespaces/{name}"


def list_told(home: Home) -> list[str]:
    """By Events that say who still has access."""
    events = (home.get("/api/v1/namespaces/default/events") or {})["items"]
    return [event["message"] for event in events if event["reason"] == "AccessLeft"]


def make_ready(home: Home, name: str, **more: object) -> str:
    path = make(home, name, **more)
    home.wait(lambda: home.is_ready(name), f"{home.conditions(name)}")
    return path


def test_everything_that_is_stated_stands(home: Home) -> None:
    path = make_ready(home, "whole")
    namespace = home.get(path)
    assert namespace is not None
    labels, annotations = namespace["metadata"]["labels"], namespace["metadata"]["annotations"]
    assert labels["mca.io/injection"] == "enabled"
    assert labels["mca.io/boundary"] == "enforced"
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert annotations[TENANT_UID] == annotations[CREATED_BY]
    conditions = home.conditions("whole")
    assert {raw["status"] for raw in conditions.values()} == {"True"}
    tenant = home.get(f"{TENANTS_PATH}/whole")
    assert tenant is not None
    assert tenant["status"]["namespaces"] == ["whole"]
    for kind, names in {
        QUOTA: {"mca-quota"},
        LIMITS: {"mca-limits"},
        NETWORK: {"mca-default-deny", "mca-dns", "mca-api", "mca-allow"},
        ACCOUNT: {"runner"},
        BINDING: {"mca-profile-standard", "mca-policy"},
    }.items():
        listed = home.get(kind.path("whole"))
        assert listed is not None
        assert {raw["metadata"]["name"] for raw in listed["items"]} == names


def test_owners_work_within_their_bounds(home: Home) -> None:
    path = make_ready(home, "bounds")
    pods = f"{path}/configmaps"
    home.wait(lambda: home.send("GET", pods, user="ann") == 200, "the binding is heard of")
    named = {"metadata": {"name": "x"}}
    assert home.send("POST", pods, named, "ann") == 201
    assert home.send("GET", pods, user="bob") == 403
    for kind in (QUOTA, LIMITS, NETWORK):
        assert home.send("POST", kind.path("bounds"), named, "ann") == 403
        assert home.send("DELETE", kind.path("bounds", "mca-quota"), user="ann") == 403
    # What RBAC cannot name the guard keeps.
    home.wait(lambda: home.send("DELETE", f"{pods}/mca-policy", user="ann") != 200)
    assert home.send("POST", pods, {"metadata": {"name": "mca-mine"}}, "ann") in (403, 422)
    assert home.send("POST", f"{path}/serviceaccounts/runner/token", {}, "ann") == 403
    binding = {
        "metadata": {"name": "more"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ann"}],
    }
    bindings = BINDING.path("bounds")
    assert home.send("POST", bindings, binding, "ann") == 403
    make(home, "bounds", profile="elevated")
    account = {"metadata": {"name": "mine"}}
    accounts = ACCOUNT.path("bounds")
    home.wait(lambda: home.send("POST", accounts, account, "ann") == 201, "elevated")
    # Bindings may be written now; to what one may not do oneself they are refused.
    assert home.send("POST", bindings, binding, "ann") == 403
    # Nor does anybody but the Tenant let people in; what runs there is the namespace's own affair.
    binding["roleRef"]["name"] = "mca-profile-standard"  # type: ignore[index]
    assert home.send("POST", bindings, binding, "ann") == 403
    binding["subjects"] = [{"kind": "ServiceAccount", "name": "mine", "namespace": "bounds"}]
    assert home.send("POST", bindings, binding, "ann") == 201
    profile = BINDING.path("bounds", "mca-profile-elevated")
    assert home.send("DELETE", profile, user="ann") in (403, 422)


def test_drift_is_repaired_and_others_fields_stay(home: Home) -> None:
    path = make_ready(home, "drift")
    quota, deny = QUOTA.path("drift", "mca-quota"), NETWORK.path("drift", "mca-default-deny")
    # The guard lets nobody else write what is called mca-….
    home.plane.tokens["mca"] = home.plane.token(SYSTEM, "mca-controller")
    more = {"metadata": {"labels": {"team": "x"}}, "spec": {"hard": {"pods": "99"}}}
    assert home.merge(quota, more, "mca") == 200
    assert home.merge(deny, {"spec": {"egress": [{}]}}, "mca") == 200
    assert home.send("DELETE", LIMITS.path("drift", "mca-limits"), user="mca") == 200

    def is_repaired() -> bool:
        found, policy = home.get(quota), home.get(deny)
        assert found is not None
        assert policy is not None
        pods, egress = found["spec"]["hard"]["pods"], policy["spec"].get("egress")
        return pods == "10" and not egress and bool(home.get(LIMITS.path("drift", "mca-limits")))

    home.wait(is_repaired, "objects")
    home.merge(path, {"metadata": {"labels": {"mca.io/injection": None, "other": "kept"}}})
    home.wait(lambda: "mca.io/injection" in (home.get(path) or {})["metadata"]["labels"], "labels")
    found, space = home.get(quota), home.get(path)
    assert found is not None
    assert space is not None
    assert found["metadata"]["labels"]["team"] == "x"
    assert space["metadata"]["labels"]["other"] == "kept"


def bind(role: str, *people: str, **metadata: Any) -> Raw:
    subjects = [{"apiGroup": RBAC, "kind": "User", "name": name} for name in people]
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    named = {"name": f"others-{role}", **metadata}
    return {"metadata": named, "roleRef": reference, "subjects": subjects}


def test_what_others_had_put_there_is_withdrawn_or_told(home: Home) -> None:
    """From before the namespace was a tenant's, where no guard holds: access, and ways through."""
    home.plane.create_namespace("legacy")
    home.plane.create(BINDING.path("legacy"), bind("mca-profile-elevated", "bob"))
    home.plane.create(BINDING.path("legacy"), bind("view", "bob"))
    everything = {"metadata": {"name": "open"}, "spec": {"podSelector": {}, "egress": [{}]}}
    home.plane.create(NETWORK.path("legacy"), everything)
    path = make(home, "legacy")
    tenant = home.get(f"{TENANTS_PATH}/legacy")
    assert tenant is not None
    # Marks can be forged by whoever has seen them elsewhere, names that are free here be taken.
    marks = {"annotations": {CREATED_BY: tenant["metadata"]["uid"]}}
    home.plane.create(BINDING.path("legacy"), bind("edit", "bob", name="mca-x", **marks))
    hidden = {**everything, "metadata": {"name": "mca-open", **marks}}
    home.plane.create(NETWORK.path("legacy"), hidden)
    home.merge(path, {"metadata": {"labels": {LABEL_TENANT: "legacy"}}})
    home.wait(lambda: home.fails("legacy", "Network").startswith("OthersLetThrough"))
    assert "legacy/open is not MCA's" in home.fails("legacy", "Network")
    assert home.get(BINDING.path("legacy", "others-mca-profile-elevated")) is None
    assert home.get(BINDING.path("legacy", "mca-x")) is None
    assert home.get(NETWORK.path("legacy", "mca-open")) is None
    access = home.conditions("legacy")["Access"]
    assert (access["status"], access["reason"]) == ("True", "OthersToo")
    assert "RoleBinding legacy/others-view (User bob)" in access["message"]
    # It is looked at again, until it is gone.
    assert home.send("DELETE", NETWORK.path("legacy", "open")) == 200
    assert home.send("DELETE", BINDING.path("legacy", "others-view")) == 200
    home.merge(f"{TENANTS_PATH}/legacy", {"metadata": {"labels": {"look": "again"}}})
    home.wait(lambda: home.conditions("legacy")["Access"]["reason"] == "Provisioned")
    home.wait(lambda: home.is_ready("legacy"), "all of it is gone")


def test_withdrawn_access_does_not_wait_for_what_else_is_wrong(home: Home) -> None:
    """Nor is a profile left to people by another's RoleBinding, from before the guards."""
    both = [{"kind": "User", "name": "ann"}, {"kind": "User", "name": "bob"}]
    path = make_ready(home, "fewer", owners=both, profile="elevated")
    home.plane.tokens["mca"] = home.plane.token(SYSTEM, "mca-controller")
    backdoor = bind("mca-profile-elevated", "bob")
    assert home.send("POST", BINDING.path("fewer"), backdoor, "mca") == 201
    secrets = f"{path}/secrets"
    home.wait(lambda: home.send("GET", secrets, user="bob") == 200)
    # The quota that is wished now is refused, so nobody new gets access.
    odd = {"quota": {"no such thing": "1"}, "profile": "elevated"}
    make(home, "fewer", **odd, owners=[*both[:1], {"kind": "User", "name": "cid"}])
    home.wait(lambda: home.send("GET", secrets, user="bob") == 403, "withdrawn")
    assert home.get(BINDING.path("fewer", "others-mca-profile-elevated")) is None
    home.wait(lambda: home.fails("fewer", "Access").startswith("Waiting"))
    binding = home.get(BINDING.path("fewer", "mca-profile-elevated"))
    assert binding is not None
    names = [subject["name"] for subject in binding["subjects"]]
    assert names == ["ann", "runner"]


def test_what_is_stated_no_more_goes(home: Home) -> None:
    make_ready(home, "less")
    home.make_tenant("less", namespaces={"names": ["less"], "create": True})
    for kind in (QUOTA, LIMITS, NETWORK, ACCOUNT):
        home.wait(lambda kind=kind: (home.get(kind.path("less")) or {})["items"] == [])  # type: ignore[misc]
    left = (home.get(BINDING.path("less")) or {})["items"]
    assert [raw["metadata"]["name"] for raw in left] == ["mca-policy"]


def test_a_namespace_is_adopted_only_by_an_admins_label(home: Home) -> None:
    home.plane.create_namespace("before")
    path = make(home, "before")
    home.wait(lambda: home.fails("before", "Namespaces").startswith("NotHandedOver"))
    assert (home.get(QUOTA.path("before")) or {})["items"] == []
    home.merge(path, {"metadata": {"labels": {LABEL_TENANT: "before"}}})
    home.wait(lambda: home.is_ready("before"), "adopted")
    # Another Tenant of the same name is another.
    annotations = (home.get(path) or {})["metadata"]["annotations"]
    assert CREATED_BY not in annotations
    assert home.send("DELETE", f"{TENANTS_PATH}/before") == 200
    home.wait(lambda: home.get(f"{TENANTS_PATH}/before") is None, "gone")
    make(home, "before")
    home.wait(lambda: home.fails("before", "Namespaces").startswith("Denied"))
    assert home.get(BINDING.path("before", "mca-profile-standard")) is None


def test_labels_that_an_admin_has_set_otherwise_stay_and_are_named(home: Home) -> None:
    labels = {LABEL_TENANT: "stubborn", "mca.io/injection": "disabled"}
    body = {"metadata": {"name": "stubborn", "labels": labels}}
    home.plane.create("/api/v1/namespaces", body)
    path = make(home, "stubborn")
    home.wait(lambda: home.fails("stubborn", "Namespaces").startswith("Conflict"))
    assert "mca.io/injection" in home.fails("stubborn", "Namespaces")
    assert home.fails("stubborn", "Access").startswith("Waiting")
    home.merge(path, {"metadata": {"labels": {"mca.io/injection": None}}})
    home.wait(lambda: home.is_ready("stubborn"), "once it is out of the way")


def test_what_others_made_is_not_taken_and_access_waits(home: Home) -> None:
    home.plane.create_namespace("foreign")
    home.plane.create(
        QUOTA.path("foreign"), {"metadata": {"name": "mca-quota"}, "spec": {"hard": {"pods": "1"}}}
    )
    home.plane.create(ACCOUNT.path("foreign"), {"metadata": {"name": "runner"}})
    path = make(home, "foreign")
    home.merge(path, {"metadata": {"labels": {LABEL_TENANT: "foreign"}}})
    home.wait(lambda: home.fails("foreign", "Quota").startswith("NotOurs"))
    assert home.fails("foreign", "Access").startswith("Waiting")
    assert home.get(BINDING.path("foreign", "mca-profile-standard")) is None
    quota = home.get(QUOTA.path("foreign", "mca-quota"))
    assert quota is not None
    assert quota["spec"]["hard"] == {"pods": "1"}
    # With reclaim: delete, and still: neither the namespace nor these are deleted.
    spec = {**FULL, "namespaces": {"names": ["foreign"], "create": True, "reclaim": "delete"}}
    home.make_tenant("foreign", **spec)
    home.wait(lambda: home.fails("foreign", "Quota"))
    assert home.send("DELETE", f"{TENANTS_PATH}/foreign") == 200
    home.wait(lambda: home.get(f"{TENANTS_PATH}/foreign") is None, "gone")
    assert (home.get(NETWORK.path("foreign")) or {})["items"] == []
    assert home.get(ACCOUNT.path("foreign", "runner")) is not None
    assert home.get(QUOTA.path("foreign", "mca-quota")) is not None
    namespace = home.get(path)
    assert namespace is not None
    assert "deletionTimestamp" not in namespace["metadata"]


def test_two_tenants_never_hold_one_namespace(home: Home) -> None:
    make_ready(home, "first")
    home.make_tenant("second", **FULL, namespaces={"names": ["first"], "create": True})
    home.wait(lambda: home.fails("second", "Namespaces").startswith("Taken"))
    assert home.is_ready("first")
    namespace = home.get("/api/v1/namespaces/first")
    assert namespace is not None
    assert namespace["metadata"]["labels"][LABEL_TENANT] == "first"
    tenant = home.get(f"{TENANTS_PATH}/second")
    assert tenant is not None
    assert tenant["status"].get("namespaces", []) == []


@pytest.mark.parametrize("reclaim", ["retain", "delete"])
def test_a_tenant_ends_by_its_finalizer(home: Home, reclaim: str) -> None:
    name = f"end-{reclaim}"
    path = make_ready(home, name, namespaces={"names": [name], "create": True, "reclaim": reclaim})
    home.plane.tokens["mca"] = home.plane.token(SYSTEM, "mca-controller")
    for role in ("mca-profile-elevated", "view"):
        assert home.send("POST", BINDING.path(name), bind(role, "bob"), "mca") == 201
    assert home.send("DELETE", f"{TENANTS_PATH}/{name}") == 200
    if reclaim == "delete":
        home.wait(lambda: "deletionTimestamp" in (home.get(path) or {}).get("metadata", {}))
        assert home.get(f"{TENANTS_PATH}/{name}") is not None
        home.finalize(name)
    home.wait(lambda: home.get(f"{TENANTS_PATH}/{name}") is None, "gone")
    assert home.get(BINDING.path(name, "mca-profile-standard")) is None
    if reclaim == "retain":
        assert "deletionTimestamp" not in (home.get(path) or {})["metadata"]
        assert home.get(QUOTA.path(name, "mca-quota")) is not None
        assert home.get(NETWORK.path(name, "mca-default-deny")) is not None
        assert home.get(BINDING.path(name, "others-mca-profile-elevated")) is None
        assert home.get(BINDING.path(name, "others-view")) is not None
        home.wait(lambda: any(f"{name}/others-view (User bob)" in told for told in list_told(home)))


def test_a_role_that_may_not_be_bound_is_named_with_the_remedy(home: Home) -> None:
    make(home, "custom", profile="custom", roles=["cluster-admin"])
    home.wait(lambda: "aggregate-to-controller" in home.fails("custom", "Access"))
    assert home.fails("custom", "Ready")
    assert home.get(BINDING.path("custom", "mca-custom-cluster-admin")) is None


def test_a_quota_that_is_none_is_refused_with_its_name(home: Home, controller: Controller) -> None:
    make(home, "odd", quota={"pods": "10", "no such thing": "1"})
    home.wait(lambda: home.fails("odd", "Quota"), controller.log()[-1000:])
    assert "mca-quota" in home.fails("odd", "Quota")
    assert home.fails("odd", "Access").startswith("Waiting")
