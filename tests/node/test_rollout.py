"""The webhook's replicas come and go while pods are created: none is missed, none is stuck."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.node.installation import NAMESPACE, Images, is_available
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import list_init_containers, open_namespace

SPACE = "rollout"
VIEW = "system:aggregate-to-view"
# Created and never started: what counts is what the API server makes of them.
GATE = [{"name": "example.com/never"}]
TIMEOUT_S = 120.0
LONGEST_S = 5.0  # the webhook's own limit


class Created(NamedTuple):
    """What came of one pod."""

    status: int
    injected: bool
    seconds: float
    text: str


@contextmanager
def creating(node: Node) -> Iterator[list[Created]]:
    """Pods, by two callers, as long as the block lasts."""
    ended = threading.Event()
    created: list[Created] = []

    def create_some(caller: int) -> None:
        number = 0
        while not ended.wait(0.05):
            number += 1
            pod = write_pod(f"p-{caller}-{number}", serviceAccountName="app", schedulingGates=GATE)
            created.append(create_one(node, pod))

    with ThreadPoolExecutor(2) as pool:
        callers = [pool.submit(create_some, number) for number in range(2)]
        try:
            yield created
        finally:
            ended.set()
    for caller in callers:
        caller.result()


def create_one(node: Node, pod: dict[str, Any]) -> Created:
    began = time.monotonic()
    answer = node.plane.request("POST", f"/api/v1/namespaces/{SPACE}/pods", pod)
    seconds = time.monotonic() - began
    injected = list_init_containers(answer.json())[:1] == ["mca"]
    return Created(answer.status, injected, seconds, answer.body.decode()[:500])


def forget_pods(node: Node) -> None:
    path = f"/api/v1/namespaces/{SPACE}/pods?gracePeriodSeconds=0"
    assert node.plane.request("DELETE", path).status == 200


def wait_until_available(node: Node) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_available(node):
        assert time.monotonic() < deadline, node.plane.kubectl("get", "pods", "-A").stdout
        time.sleep(0.2)


def test_a_rolling_restart_misses_no_pod_and_refuses_none(node: Node, installed: Images) -> None:
    open_namespace(node, SPACE, "app", VIEW)
    with creating(node) as created:
        node.plane.kubectl("rollout", "restart", "deployment/mca-webhook", "-n", NAMESPACE)
        time.sleep(0.5)
        wait_until_available(node)
    forget_pods(node)
    assert len(created) > 50
    assert not [each for each in created if each.status != 201 or not each.injected]
    slowest = max(each.seconds for each in created)
    print(f"{len(created)} pods were created meanwhile, the slowest in {slowest:.2f} s")
    assert slowest < LONGEST_S


def test_a_replica_that_is_killed_lets_no_pod_through_without_its_sidecar(
    node: Node, installed: Images
) -> None:
    """Some may be refused until the Service leaves it out; whoever made them tries again."""
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    name = node.plane.request("GET", pods).json()["items"][0]["metadata"]["name"]
    status = node.plane.request("GET", f"{pods}/{name}").json()["status"]
    container = status["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    with creating(node) as created:
        node.ctr("tasks", "kill", "--signal", "SIGKILL", container)
        time.sleep(2)
        wait_until_available(node)
        deadline = time.monotonic() + TIMEOUT_S
        while created[-1].status != 201:
            assert time.monotonic() < deadline, created[-1]
            time.sleep(0.2)
    forget_pods(node)
    refused = [each for each in created if each.status != 201]
    assert not [each for each in created if each.status == 201 and not each.injected]
    assert all("failed calling webhook" in each.text for each in refused), refused[:3]
    print(f"{len(refused)} of {len(created)} pods were refused meanwhile")


def test_without_any_replica_no_pod_is_created_and_the_replicas_come_back(
    node: Node, installed: Images
) -> None:
    """A dead webhook must not hold back its own restart."""
    scale = ("scale", "deployment/mca-webhook", "-n", NAMESPACE)
    node.plane.kubectl(*scale, "--replicas=0")
    wait_until_available(node)
    pod = write_pod("without", serviceAccountName="app", schedulingGates=GATE)
    deadline = time.monotonic() + TIMEOUT_S
    while (refused := create_one(node, pod)).status == 201:  # the last one drains
        assert refused.injected
        forget_pods(node)
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "failed calling webhook" in refused.text
    node.plane.kubectl(*scale, "--replicas=2")
    wait_until_available(node)
    while (made := create_one(node, pod)).status != 201:
        assert time.monotonic() < deadline, made
        time.sleep(0.2)
    assert made.injected
    forget_pods(node)
