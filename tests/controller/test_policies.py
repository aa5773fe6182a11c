"""From what admins and tenants state to the snapshot in each namespace, by a running controller."""

import http.client
import json
import time
from typing import Any

import pytest

from sidecar.policy.snapshot import Snapshot, parse_snapshot
from tests.controller.scene import (
    API,
    ControllerProcess,
    Home,
    cluster_of,
    namespace_of,
    poll,
    route_of,
    tenant_of,
)
from tests.controlplane import ControlPlane
from webhook.controller.policies.route_status import AT_ONCE

CORE = "/api/v1/namespaces"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
MCA = f"/apis/{API}"
MERGE = {"Content-Type": "application/merge-patch+json"}
pytestmark = pytest.mark.usefixtures("controller")


def policy_with(home: Home, namespace: str, **wanted: Any) -> dict[str, Any]:
    """The snapshot, once it says so."""

    def look() -> dict[str, Any] | None:
        found = home.policy(namespace)
        met = found and all(found[field] == value for field, value in wanted.items())
        return found if met else None

    return poll(look, told=f"{wanted} did not come: {home.policy(namespace)}")


def routes_of(home: Home, namespace: str) -> list[str]:
    found = home.policy(namespace)
    return [route["name"] for route in found["routes"]] if found else []


def clusters_of(home: Home, namespace: str) -> list[str]:
    found = home.policy(namespace)
    return [cluster["name"] for cluster in found["clusters"]] if found else []


def held_by(home: Home, namespace: str) -> list[str]:
    """The namespaces of its tenant; none as long as there is no such snapshot."""
    found = (home.policy(namespace) or {}).get("tenant") or {}
    return list(found.get("namespaces") or ())


def version_of(home: Home, namespace: str) -> str:
    answer = home.plane.request("GET", f"{CORE}/{namespace}/configmaps/mca-policy")
    assert answer.status == http.client.OK
    return str(answer.json()["metadata"]["resourceVersion"])


def is_claimed(home: Home, namespace: str) -> bool:
    """Whether the Tenant's uid is written onto it."""
    metadata = home.plane.request("GET", f"{CORE}/{namespace}").json()["metadata"]
    return "mca.io/tenant-uid" in (metadata.get("annotations") or {})


def test_a_labelled_namespace_gets_one_and_others_none(home: Home) -> None:
    home.apply(namespace_of("pol-plain"))
    home.plane.create_namespace("pol-none")
    found = policy_with(home, "pol-plain", tenant=None)
    assert [cluster["name"] for cluster in found["clusters"]] == ["home"]
    assert isinstance(parse_snapshot(json.dumps(found).encode()), Snapshot)
    answer = home.plane.request("GET", f"{CORE}/pol-plain/configmaps/mca-policy").json()
    assert answer["metadata"]["annotations"]["mca.io/revision"] == found["revision"]
    assert home.policy("pol-none") is None


def test_the_namespaces_accounts_read_and_watch_it_and_no_other_object(home: Home) -> None:
    home.apply(namespace_of("pol-read"))
    home.plane.create_service_account("pol-read", "app")
    home.plane.create_service_account("pol-other", "app")
    poll(lambda: home.policy("pol-read"))
    path = f"{CORE}/pol-read/configmaps"
    own, other = home.plane.token("pol-read", "app"), home.plane.token("pol-other", "app")

    def ask(path: str, token: str) -> int:
        return home.plane.request("GET", path, token=token).status

    poll(lambda: ask(f"{path}/mca-policy", own) == http.client.OK)
    only = f"{path}?fieldSelector=metadata.name%3Dmca-policy"
    assert ask(f"{only}&watch=1&timeoutSeconds=1", own) == http.client.OK
    assert ask(path, own) == http.client.FORBIDDEN
    assert ask(f"{path}/mca-policy", other) == http.client.FORBIDDEN


def test_a_tenant_its_cluster_and_a_route_become_one(home: Home, west: ControlPlane) -> None:
    home.apply(
        cluster_of("pol-west", west),
        tenant_of("pol-acme", "pol-a", "pol-b", clusters=["pol-west"]),
        namespace_of("pol-a", "pol-acme"),
        namespace_of("pol-b", "pol-acme"),
        route_of("pol-a", "maps", "pol-west"),
    )
    accepted = f"{MCA}/clusters/pol-west"
    poll(lambda: home.condition(accepted, "Accepted").get("status") == "True", 30)
    # The route stands in the snapshot from the first, closed until its cluster may be used.
    poll(lambda: routes_of(home, "pol-a") == ["maps"])
    poll(lambda: clusters_of(home, "pol-a") == ["home", "pol-west"])
    poll(lambda: held_by(home, "pol-a") == ["pol-a", "pol-b"])
    found = home.policy("pol-a")
    assert found is not None
    assert found["routes"][0]["to"]["members"][0]["cluster"] == "pol-west"
    # A Route binds callers of its own namespace only.
    poll(lambda: held_by(home, "pol-b") == ["pol-a", "pol-b"])
    assert routes_of(home, "pol-b") == []
    route = f"{MCA}/namespaces/pol-a/routes/maps"
    poll(lambda: home.condition(route, "Accepted").get("status") == "True")
    assert isinstance(parse_snapshot(json.dumps(found).encode()), Snapshot)


def test_a_route_that_cannot_be_is_told_so(home: Home) -> None:
    home.apply(
        tenant_of("pol-told", "pol-told"),
        namespace_of("pol-told", "pol-told"),
        route_of("pol-told", "nowhere", "unknown"),
        namespace_of("pol-free"),
        route_of("pol-free", "nobodys", "home"),
    )
    for namespace, name, reason in (
        ("pol-told", "nowhere", "ClusterNotAllowed"),
        ("pol-free", "nobodys", "NoTenant"),
    ):
        path = f"{MCA}/namespaces/{namespace}/routes/{name}"

        def is_told(path: str = path, reason: str = reason) -> bool:
            # A Route that is seen before its Tenant is nobody's for a moment.
            said = home.condition(path, "Accepted")
            found = said.get("status"), said.get("reason"), said.get("observedGeneration")
            return found == ("False", reason, 1)

        poll(is_told)
    events = f"{CORE}/pol-told/events"

    def told() -> list[Any]:
        items = home.plane.request("GET", events).json()["items"]
        return [item for item in items if item["reason"] == "ClusterNotAllowed"]

    assert poll(told)[0]["involvedObject"]["name"] == "nowhere"


def test_an_edit_writes_the_namespaces_it_concerns_and_no_other(home: Home) -> None:
    for name in ("one", "two"):
        home.apply(
            tenant_of(f"pol-{name}", f"pol-{name}"), namespace_of(f"pol-{name}", f"pol-{name}")
        )
        poll(lambda name=name: held_by(home, f"pol-{name}"))  # type: ignore[misc]
    before = version_of(home, "pol-two")
    home.apply(route_of("pol-one", "r", "home"))
    poll(lambda: routes_of(home, "pol-one") == ["r"])
    assert version_of(home, "pol-two") == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("content", {"data": {"snapshot.v1.json": "{}"}}),
        ("frozen", {"immutable": True}),
        ("owned", {"metadata": {"labels": None, "finalizers": ["x.example/y"]}}),
    ],
)
def test_what_a_tenant_does_to_it_is_undone(home: Home, name: str, change: dict[str, Any]) -> None:
    """Attack 65; here without the guards, which would refuse it."""
    namespace = f"pol-undo-{name}"
    home.apply(namespace_of(namespace))
    right = poll(lambda: home.policy(namespace))
    path = f"{CORE}/{namespace}/configmaps/mca-policy"
    assert home.plane.request("PATCH", path, change, headers=MERGE).status == http.client.OK

    def is_right() -> bool:
        answer = home.plane.request("GET", path)
        if answer.status != http.client.OK:
            return False
        found = answer.json()
        metadata = found["metadata"]
        return bool(
            json.loads(found["data"]["snapshot.v1.json"]) == right
            and not found.get("immutable")
            and not metadata.get("finalizers")
            and metadata.get("labels")
        )

    poll(is_right)


def test_one_that_is_deleted_or_stuck_comes_back(home: Home) -> None:
    home.apply(namespace_of("pol-gone"))
    poll(lambda: home.policy("pol-gone"))
    path = f"{CORE}/pol-gone/configmaps/mca-policy"
    role = f"{RBAC}/pol-gone/rolebindings/mca-policy"
    poll(lambda: home.plane.request("GET", role).status == http.client.OK)
    for changes in ([], [{"metadata": {"finalizers": ["x.example/y"]}, "immutable": True}]):
        uid = home.plane.request("GET", path).json()["metadata"]["uid"]
        for change in changes:
            home.plane.request("PATCH", path, change, headers=MERGE)
        home.plane.request("DELETE", path)

        def is_back(uid: str = uid) -> bool:
            answer = home.plane.request("GET", path)
            return answer.status == http.client.OK and answer.json()["metadata"]["uid"] != uid

        poll(is_back)
    home.plane.request("DELETE", role)
    poll(lambda: home.plane.request("GET", role).status == http.client.OK)


def test_whoever_writes_it_all_the_time_does_not_hold_it_back(home: Home) -> None:
    """A storm of conflicts: tries that were based on what was read would lose for ever."""
    home.apply(tenant_of("pol-storm", "pol-storm"), namespace_of("pol-storm", "pol-storm"))
    poll(lambda: home.policy("pol-storm"))
    path = f"{CORE}/pol-storm/configmaps/mca-policy"
    home.apply(route_of("pol-storm", "r", "home"))
    deadline = time.monotonic() + 20
    number = 0
    while routes_of(home, "pol-storm") != ["r"]:
        assert time.monotonic() < deadline
        number += 1
        patch = {"metadata": {"annotations": {"x": str(number)}}}
        home.plane.request("PATCH", path, patch, headers=MERGE)


def test_a_tenant_that_is_lost_leaves_nothing_open(home: Home) -> None:
    """Attack 68: no namespace of its own widens when its Tenant goes."""
    home.apply(tenant_of("pol-lost", "pol-lost"), namespace_of("pol-lost", "pol-lost"))
    poll(lambda: held_by(home, "pol-lost"))
    poll(lambda: is_claimed(home, "pol-lost"))
    home.plane.request("DELETE", f"{MCA}/tenants/pol-lost")
    closed = poll(
        lambda: (
            found
            if (found := home.policy("pol-lost")) and not found["tenant"]["namespaces"]
            else None
        )
    )
    assert closed["tenant"]["permissions"] == []
    # Not even without its labels: who still reads it is told that it is nobody's.
    assert closed["tenant"]["mode"] == "enforce"


def test_a_namespace_that_leaves_its_tenant_is_told(home: Home) -> None:
    home.apply(
        tenant_of("pol-leave", "pol-leave", "pol-stay"),
        namespace_of("pol-leave", "pol-leave"),
        namespace_of("pol-stay", "pol-leave"),
    )
    both = ["pol-leave", "pol-stay"]
    poll(lambda: held_by(home, "pol-stay") == held_by(home, "pol-leave") == both)
    home.apply(tenant_of("pol-leave", "pol-stay"))
    poll(lambda: held_by(home, "pol-stay") == ["pol-stay"])
    poll(lambda: held_by(home, "pol-leave") == [])


def test_from_apply_to_the_object_in_half_a_second(
    home: Home, controller: ControllerProcess
) -> None:
    home.apply(tenant_of("pol-fast", "pol-fast"), namespace_of("pol-fast", "pol-fast"))
    poll(lambda: held_by(home, "pol-fast"))
    took = []
    for number in range(5):
        name = f"r{number}"
        home.plane.create(f"{MCA}/namespaces/pol-fast/routes", route_of("pol-fast", name, "home"))
        began = time.monotonic()
        poll(lambda name=name: name in routes_of(home, "pol-fast"))  # type: ignore[misc]
        took.append(time.monotonic() - began)
    assert min(took) < 0.5, took  # what holds one up each time is ours, not the machine's
    assert controller.metric("mca_controller_reconcile_errors_total", reason="fault") == 0


def test_what_keeps_it_from_being_written_is_told(home: Home) -> None:
    """A quota that is used up; the sidecars go on by what they know, and people hear of it."""
    home.plane.create_namespace("pol-full")
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": "0"}}}
    home.plane.create(f"{CORE}/pol-full/resourcequotas", quota)
    status = f"{CORE}/pol-full/resourcequotas/q/status"
    used = {"status": {"hard": {"count/configmaps": "0"}, "used": {"count/configmaps": "0"}}}
    assert home.plane.request("PATCH", status, used, headers=MERGE).status == http.client.OK
    home.apply(namespace_of("pol-full"))

    def told() -> list[str]:
        items = home.plane.request("GET", f"{CORE}/pol-full/events").json()["items"]
        return [item["message"] for item in items if item["reason"] == "PolicyNotWritten"]

    assert "exceeded quota" in poll(told)[0]
    home.plane.request("DELETE", f"{CORE}/pol-full/resourcequotas/q")
    poll(lambda: home.policy("pol-full"), 30)


def test_who_still_reads_it_when_the_labels_are_gone_is_told(home: Home) -> None:
    """Sidecars keep the last they saw: a deleted object would leave them their former Tenant."""
    home.apply(tenant_of("pol-bare", "pol-bare"), namespace_of("pol-bare", "pol-bare"))
    poll(lambda: held_by(home, "pol-bare"))
    poll(lambda: is_claimed(home, "pol-bare"))
    bare = {"metadata": {"labels": None, "annotations": None}}
    patched = home.plane.request("PATCH", f"{CORE}/pol-bare", bare, headers=MERGE)
    assert patched.status == http.client.OK
    assert policy_with(home, "pol-bare", tenant=None)["routes"] == []


def test_many_routes_are_told_once_each(home: Home) -> None:
    """Attack 70: a flood of them takes turns with other namespaces."""
    path = f"{MCA}/namespaces/pol-many/routes"
    home.plane.create_namespace("pol-many")
    for number in range(AT_ONCE + 5):
        home.plane.create(path, route_of("pol-many", f"r{number}", "home"))

    def are_told() -> bool:
        items = home.plane.request("GET", path).json()["items"]
        return all((item.get("status") or {}).get("conditions") for item in items)

    def list_written() -> list[str]:
        return [
            event["objectRef"]["name"]
            for event in home.plane.audit.since(0)
            if event.get("objectRef", {}).get("subresource") == "status"
            and event["objectRef"].get("namespace") == "pol-many"
            and event["responseStatus"]["code"] == http.client.OK
        ]

    poll(are_told)
    # The audit log has an answer a moment after whoever asked.
    poll(lambda: len(list_written()) >= AT_ONCE + 5)
    assert sorted(list_written()) == sorted(f"r{number}" for number in range(AT_ONCE + 5))
    home.plane.request("DELETE", path)  # `mca status` shows only so many that do not count
