"""Parts that end on a real node: pods go on with the identity they knew."""

import time

import pytest

from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import open_namespace


@pytest.mark.usefixtures("webhook")
def test_a_killed_sidecar_comes_back_as_itself(node: Node) -> None:
    open_namespace(node, "killed", "app", "system:aggregate-to-view")
    pods = "/api/v1/namespaces/killed/pods"
    node.plane.create(pods, write_pod("app", serviceAccountName="app"))
    before = node.wait_for_pod("killed", "app")
    run = ("exec", "-n", "killed", "app", "-c", "app", "--")
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    known = node.plane.kubectl(*run, "sh", "-c", f"cat {account}/*").stdout
    container = before["status"]["initContainerStatuses"][0]["containerID"]
    node.ctr("tasks", "kill", "--signal", "SIGKILL", container.removeprefix("containerd://"))
    deadline = time.monotonic() + 60
    while True:
        status = node.plane.request("GET", f"{pods}/app").json()["status"]
        sidecar = status["initContainerStatuses"][0]
        if sidecar["restartCount"] == 1 and sidecar.get("started"):
            break
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    assert node.plane.kubectl(*run, "sh", "-c", f"cat {account}/*").stdout == known
    assert node.plane.kubectl(*run, "kubectl", "get", "pods", "-o", "name").stdout == "pod/app\n"
    assert status["containerStatuses"][0]["restartCount"] == 0
