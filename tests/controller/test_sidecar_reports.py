"""Sidecars say which snapshot they run; the Tenant tells how many lag behind."""

import json
import time
from typing import Any

import pytest

from tests.controller.broker_scene import BrokerScene
from tests.controller.scene import ControllerProcess, Home, poll
from tests.controlplane import ControlPlane
from webhook.controller.broker.counts import merge_reports
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.map_names import find_shard
from webhook.controller.broker.publishing import Publisher
from webhook.controller.broker.reports import Report, Reports
from webhook.controller.broker.reviews import Identity
from webhook.controller.broker.status_maps import StatusMaps
from webhook.controller.broker.threads import Threads

SPACE, TENANT = "reports-a", "reports-tenant"
PATH = f"/apis/mca.io/v1alpha1/tenants/{TENANT}"
OLD, NEW = (f"v1-{letter * 32}" for letter in "ab")
STATUS_MAP = "/api/v1/namespaces/mca-system/configmaps/mca-status"


@pytest.fixture(scope="module")
def scene(home: Home, west: ControlPlane, controller: ControllerProcess) -> BrokerScene:
    scene = BrokerScene(home, west, controller)
    scene.add_tenant(TENANT, namespace=SPACE)
    poll(lambda: home.policy(SPACE))
    return scene


def report(scene: BrokerScene, token: str, revision: str) -> int:
    body = json.dumps({"revision": revision, "version": "0.2.0"}).encode()
    return scene.call("/v1/reports", token, body)[0]


def sidecars(scene: BrokerScene) -> tuple[Any, str]:
    status = scene.read(PATH).get("status") or {}
    condition = scene.home.condition(PATH, "SidecarsCurrent")
    return status.get("sidecars"), str(condition.get("reason"))


def test_those_on_an_old_snapshot_are_counted(scene: BrokerScene) -> None:
    tokens = [scene.pod_token(SPACE, f"web-{number}") for number in range(3)]
    policy = scene.home.policy(SPACE)
    assert policy is not None
    for token in tokens:
        assert report(scene, token, policy["revision"]) == 200
    poll(lambda: sidecars(scene) == ({"total": 3, "old": 0}, "Current"), 25, "not counted")
    assert report(scene, tokens[0], f"v1-{'0' * 32}") == 200
    poll(lambda: sidecars(scene) == ({"total": 3, "old": 1}, "SomeOld"), 25, "not counted as old")
    told = json.loads(scene.read(STATUS_MAP)["data"]["status.json"])
    assert told["tenants"][TENANT] == {"total": 3, "old": 1}
    assert told["namespaces"][SPACE] == {"total": 3, "old": 1}
    message = scene.home.condition(PATH, "SidecarsCurrent")["message"]
    assert f"1 of 3 run an older snapshot, in {SPACE} (1)" in message


def test_a_sidecar_counts_once_whichever_replica_it_meets(scene: BrokerScene) -> None:
    first = scene.controller
    second = scene.home.controller(MCA_CONTROLLER_ADDRESS=first.address).wait_ready()
    other = BrokerScene(scene.home, scene.west, second)
    token = scene.pod_token(SPACE, "moves")
    policy = scene.home.policy(SPACE)
    assert policy is not None
    before = sidecars(scene)[0] or {"total": 0, "old": 0}
    assert report(scene, token, OLD) == 200
    assert report(other, token, policy["revision"]) == 200
    after = {**before, "total": before["total"] + 1}
    poll(lambda: sidecars(scene)[0] == after, 25, "not counted once")
    # Who does not lead serves credentials all the same: here there are none for this tenant.
    assert other.ask(token)[0] == 403
    second.stop()


class Replica:
    """What one replica does beside its pages, without waiting."""

    def __init__(self, scene: BrokerScene, name: str) -> None:
        self.now = 100.0
        self.reports = Reports(lambda: self.now)
        self.maps = StatusMaps(scene.kube, "mca-system")
        self.threads = Threads(name, 2)
        objects = HomeObjects(scene.kube, self.threads)
        self.publisher = Publisher(
            self.maps, self.threads, objects, self.reports, lambda _: NEW, name, lambda: self.now
        )
        self.key = name

    def published(self) -> str:
        return self.maps.read(find_shard(SPACE)).get(self.key, "")


async def test_a_replica_tells_what_it_heard_and_forgets_who_is_gone(scene: BrokerScene) -> None:
    uids = {name: scene.add_pod(SPACE, name) for name in ("stays", "goes", "comes-again")}
    replica = Replica(scene, "trial")
    for name, uid in uids.items():
        replica.reports.take(Identity(SPACE, "app", name, uid), Report(OLD, "1"))
    await replica.publisher.advance()
    first = replica.published()
    assert len(merge_reports([first])[SPACE]) == 3
    scene.delete_pod(SPACE, "goes")
    scene.delete_pod(SPACE, "comes-again")
    scene.add_pod(SPACE, "comes-again")
    replica.now += 6  # it may be about to follow: nobody is asked yet
    await replica.publisher.advance()
    assert replica.published() == first
    replica.now += 10
    await replica.publisher.advance()
    assert [entry.pod for _, entry in replica.reports.list_all()] == ["stays"]
    assert len(merge_reports([replica.published()])[SPACE]) == 1
    # A larger one is not written as often; what is written stays what it was.
    written = replica.published()
    replica.now += 1
    await replica.publisher.advance()
    assert replica.published() == written
    # When all are gone, its key goes, and others' keys stay.
    replica.maps.write(find_shard(SPACE), {"other": "{}"})
    replica.reports.forget(SPACE, uids["stays"])
    replica.now += 60
    await replica.publisher.advance()
    assert replica.published() == ""
    assert replica.maps.read(find_shard(SPACE))["other"] == "{}"
    replica.threads.close()


def test_what_is_no_report_does_not_count(scene: BrokerScene) -> None:
    token = scene.pod_token(SPACE, "odd")
    for body in (b"", b"{", b"[]", b'{"revision":"r1","version":"1"}'):
        assert scene.call("/v1/reports", token, body)[0] == 400
    assert scene.call("/v1/reports", "a.b.c")[0] == 401
    stranger = scene.pod_token("reports-unlabelled", "web-0", injected=False)
    assert report(scene, stranger, OLD) == 503
    began = time.monotonic()
    assert report(scene, token, f"v1-{'1' * 32}") == 200
    assert time.monotonic() - began < 5
