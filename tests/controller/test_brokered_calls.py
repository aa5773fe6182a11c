"""A real sidecar's calls to a member whose credential the broker hands out."""

import os
import signal
import time
from typing import Any

import pytest

from tests.controller.broker_scene import BrokerScene
from tests.controller.scene import ControllerProcess, Home, poll, route_of
from tests.controlplane import ControlPlane
from tests.sidecar_process import SidecarProcess, swap_data

SPACE, TENANT, CLUSTER = "brokered-a", "brokered-tenant", "brokered-west"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"


@pytest.fixture(scope="module")
def scene(home: Home, west: ControlPlane, controller: ControllerProcess) -> BrokerScene:
    scene = BrokerScene(home, west, controller)
    scene.add_cluster(CLUSTER, {"token": scene.minter})
    scene.add_tenant(TENANT, CLUSTER, namespace=SPACE)
    scene.list_account(SPACE, "app", TENANT)
    west.create_service_account(SPACE, "app", cluster_role="system:aggregate-to-edit")
    home.apply(route_of(SPACE, "maps", CLUSTER))
    return scene


@pytest.fixture
def sidecar(scene: BrokerScene) -> SidecarProcess:
    """With the token of a pod that has one."""
    token = scene.pod_token(SPACE, "web-0")
    sidecar = scene.home.sidecar(SPACE, "app", broker=scene.controller.address)
    swap_data(sidecar.folder / "broker", {"token": token.encode()})
    return sidecar.start()


def create(sidecar: SidecarProcess, name: str) -> int:
    body = {"metadata": {"name": name}}
    return sidecar.request("POST", MAPS, body, token=sidecar.token()).status


def set_clusters(scene: BrokerScene, *names: str) -> None:
    patch: dict[str, Any] = {"spec": {"clusters": list(names)}}
    path = f"/apis/mca.io/v1alpha1/tenants/{TENANT}"
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = scene.plane.request("PATCH", path, patch, headers=headers)
    assert answer.status == 200, answer.body


def test_from_the_first_call_to_the_revocation(scene: BrokerScene, sidecar: SidecarProcess) -> None:
    poll(lambda: create(sidecar, "first") in (201, 409), told=sidecar.output())
    assert scene.west.request("GET", f"{MAPS}/first").status == 200
    assert scene.plane.request("GET", f"{MAPS}/first").status == 404
    poll(lambda: scene.controller.metric("mca_broker_answers_total", page="reports", rule="ok"))
    # The broker is away: what was handed out goes on.
    pid = scene.controller.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert create(sidecar, "while-it-is-away") == 201
    finally:
        os.kill(pid, signal.SIGCONT)
    # Gone with the next snapshot.
    set_clusters(scene)
    poll(lambda: create(sidecar, f"m-{time.monotonic_ns()}") in (403, 503))
    handed = scene.minter
    assert handed not in sidecar.output()
    set_clusters(scene, CLUSTER)
    poll(lambda: create(sidecar, f"m-{time.monotonic_ns()}") == 201, told=sidecar.output())
