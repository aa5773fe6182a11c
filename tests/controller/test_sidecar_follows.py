"""Pods follow what admins apply: two real clusters, the controller, the broker, a real sidecar."""

import json
import time
from typing import Any

import pytest

from tests.controller.broker_scene import BrokerScene
from tests.controller.scene import ControllerProcess, Home, poll, route_of
from tests.controlplane import ControlPlane
from tests.sidecar_process import SidecarProcess, swap_data

SPACE, TENANT, CLUSTER = "follows-a", "follows-tenant", "follows-west"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"
READ = {"name": "read", "effect": "allow", "verbs": ["*"], "groups": [""], "resources": ["*"]}
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def scene(home: Home, west: ControlPlane, controller: ControllerProcess) -> BrokerScene:
    scene = BrokerScene(home, west, controller)
    scene.add_cluster(CLUSTER, {"token": scene.minter})
    scene.add_tenant(
        TENANT, CLUSTER, namespace=SPACE,
        permissions=[READ],
    )  # fmt: skip
    scene.list_account(SPACE, "app", TENANT)
    west.create_service_account(SPACE, "app", cluster_role="system:aggregate-to-view")
    home.plane.create_service_account(SPACE, "app", cluster_role="system:aggregate-to-view")
    for plane, name in ((home.plane, "at-home"), (west, "in-the-west")):
        plane.create(MAPS, {"metadata": {"name": name}})
    return scene


def start(scene: BrokerScene, pod: str) -> SidecarProcess:
    """As in a pod that injection made."""
    token = scene.pod_token(SPACE, pod)
    sidecar = scene.home.sidecar(SPACE, "app", broker=scene.controller.address)
    swap_data(sidecar.folder / "broker", {"token": token.encode()})
    poll(lambda: scene.home.policy(SPACE))
    return sidecar.start()


def served_by(sidecar: SidecarProcess) -> str:
    """Which cluster has answered; else why none has."""
    answer = sidecar.request("GET", MAPS)
    if answer.status != 200:
        return str(answer.json()["message"])
    names = {item["metadata"]["name"] for item in answer.json()["items"]}
    return "west" if "in-the-west" in names else "home"


def refusal(sidecar: SidecarProcess) -> str:
    """Why no cluster answers; empty if one does."""
    told = served_by(sidecar)
    return "" if told in ("west", "home") else told


def change(scene: BrokerScene, path: str, body: Any) -> None:
    answer = scene.plane.request("PATCH", path, json.dumps(body).encode(), headers=MERGE)
    assert answer.status == 200, answer.body


def test_calls_follow_routes_clusters_and_tenants(scene: BrokerScene) -> None:
    sidecar = start(scene, "web-0")
    poll(lambda: served_by(sidecar) == "home", told=lambda: served_by(sidecar))
    route = route_of(SPACE, "west", CLUSTER)
    route["spec"]["match"] = [{"groups": [""], "resources": ["configmaps"]}]
    scene.home.apply(route)
    poll(lambda: served_by(sidecar) == "west", told=lambda: served_by(sidecar))
    path = f"/apis/mca.io/v1alpha1/namespaces/{SPACE}/routes/west"
    taken = []
    for wanted in ("home", "west") * 4:
        resources = ["secrets"] if wanted == "home" else ["configmaps"]
        change(scene, path, {"spec": {"match": [{"groups": [""], "resources": resources}]}})
        begun = time.monotonic()
        poll(lambda: served_by(sidecar) == wanted, told=lambda: served_by(sidecar))  # noqa: B023
        taken.append(time.monotonic() - begun)
    assert min(taken) < 1, taken  # what holds one up each time is ours, not the machine's
    # Who is not the tenant's cluster any more gets no call, and no call falls home.
    tenant = f"/apis/mca.io/v1alpha1/tenants/{TENANT}"
    change(scene, tenant, {"spec": {"clusters": []}})
    told = poll(lambda: refusal(sidecar))
    assert "names a cluster that cannot be used; `kubectl get routes.mca.io` tells why" in told
    change(scene, tenant, {"spec": {"clusters": [CLUSTER]}})
    poll(lambda: served_by(sidecar) == "west", told="it is the tenant's again")


def test_no_route_keeps_from_a_sidecar_what_was_taken_away(scene: BrokerScene) -> None:
    """The API server makes six bytes of each <, and of 350 KB of them what no sidecar would read.

    It is the tenant who writes Routes, and the admin who takes away.
    """
    sidecar = start(scene, "web-1")
    for number in range(6):
        route = route_of(SPACE, f"wide-{number}", "nowhere")
        names = [f"{'<' * 236}{place:02}" for place in range(60)]
        match = {"groups": ["none.example"], "resources": ["x"], "names": names}
        route["spec"]["match"] = [match] * 5
        scene.home.apply(route)
    last = f"/apis/mca.io/v1alpha1/namespaces/{SPACE}/routes/wide-5"
    poll(lambda: scene.home.condition(last, "Accepted").get("reason") == "TooLarge")
    poll(lambda: not refusal(sidecar), told=lambda: refusal(sidecar))
    tenant = f"/apis/mca.io/v1alpha1/tenants/{TENANT}"
    change(scene, tenant, {"spec": {"permissions": []}})
    poll(lambda: refusal(sidecar))
    assert not sidecar.events("snapshot_watch_lost")
    change(scene, tenant, {"spec": {"permissions": [READ]}})
    for number in range(6):
        scene.plane.request("DELETE", last.replace("5", str(number)))


def test_the_sidecar_of_a_pod_that_is_gone_gets_nothing_more(scene: BrokerScene) -> None:
    route = route_of(SPACE, "west", CLUSTER)
    route["spec"]["match"] = [{"groups": [""], "resources": ["configmaps"]}]
    scene.home.apply(route)
    poll(lambda: "follows-west" in str(scene.home.policy(SPACE)))
    token = scene.pod_token(SPACE, "short-lived")
    scene.delete_pod(SPACE, "short-lived")
    sidecar = scene.home.sidecar(SPACE, "app", broker=scene.controller.address)
    swap_data(sidecar.folder / "broker", {"token": token.encode()})
    sidecar.start()
    told = poll(lambda: refusal(sidecar))
    poll(lambda: "the broker answers 40" in refusal(sidecar), told=told)
