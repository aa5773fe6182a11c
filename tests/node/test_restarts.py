"""Parts that end on a real node: pods go on, or come back, and what they know still holds."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node.installation import is_available
from tests.node.node import Node
from tests.node.pods import FOREVER, write_pod
from tests.node.sidecars import create, open_namespace, search

pytestmark = pytest.mark.usefixtures("installed")
VIEW = "system:aggregate-to-view"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TIMEOUT_S = 90.0
# One line for each call that went well, and one that names what went wrong.
CALLING = "while sleep 0.2; do kubectl get pod app -o name 2>&1; done"
# Takes the API's port whenever it is free, and says what it could read of whoever calls.
TAKING = """\
import socket, time
while True:
    server = socket.socket()
    try:
        server.bind(("127.0.0.1", 6443))
    except OSError:
        time.sleep(0.002)
        continue
    server.listen()
    print("taken", flush=True)
    time.sleep(4)
    server.close()
    print("left", flush=True)
    break
time.sleep(3600)
"""


def wait_until(condition: Callable[[], bool], what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


class Application:
    """A pod `app` that calls the API, in a namespace of its own."""

    def __init__(self, node: Node, namespace: str, script: str = FOREVER, **spec: Any) -> None:
        self._node = node
        self._namespace = namespace
        open_namespace(node, namespace, "app", VIEW)
        create(node, namespace, write_pod("app", script, serviceAccountName="app", **spec))
        self.pod = node.wait_for_pod(namespace, "app")

    def run(self, *command: str) -> str:
        """What a command in its container prints."""
        at = ("exec", "-n", self._namespace, "app", "-c", "app", "--")
        return self._node.plane.kubectl(*at, *command).stdout

    def read(self) -> Any:
        """The pod as it is now."""
        path = f"/api/v1/namespaces/{self._namespace}/pods/app"
        return self._node.plane.request("GET", path).json()

    def log(self, container: str = "app", *options: str) -> list[str]:
        """The lines that a container has printed."""
        name = ("logs", "-n", self._namespace, "app", "-c", container)
        return self._node.plane.kubectl(*name, *options).stdout.splitlines()

    def sidecar(self) -> Any:
        """Its status."""
        return self.read()["status"]["initContainerStatuses"][0]

    def kill_sidecar(self) -> None:
        """As by `kill -9`."""
        container = self.sidecar()["containerID"].removeprefix("containerd://")
        self._node.ctr("tasks", "kill", "--signal", "SIGKILL", container)

    def is_whole(self) -> bool:
        """Whether everything in it runs, the sidecar too."""
        status = self.read()["status"]
        kinds = ("initContainerStatuses", "containerStatuses")
        return all(
            one.get("ready") and one.get("started") for kind in kinds for one in status[kind]
        )


def test_a_killed_sidecar_comes_back_as_itself(node: Node) -> None:
    app = Application(node, "killed")
    known = app.run("sh", "-c", f"cat {ACCOUNT}/*")
    app.kill_sidecar()
    wait_until(lambda: app.sidecar()["restartCount"] == 1 and app.is_whole(), app.read)
    assert app.run("sh", "-c", f"cat {ACCOUNT}/*") == known
    assert app.run("kubectl", "get", "pods", "-o", "name") == "pod/app\n"
    assert app.read()["status"]["containerStatuses"][0]["restartCount"] == 0


def test_80_who_takes_the_port_of_a_killed_sidecar_learns_nothing(node: Node) -> None:
    """The sidecar says so and waits; it never shares the port, and is itself again afterwards."""
    app = Application(node, "taken", f"exec python3 -c '{TAKING}'")
    app.kill_sidecar()
    wait_until(lambda: "taken" in app.log(), app.read)
    done = node.plane.kubectl(
        "exec", "-n", "taken", "app", "-c", "app", "--", "kubectl", "get", "pods",
        "--request-timeout=2s", check=False,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout
    wait_until(lambda: "left" in app.log() and app.is_whole(), app.read)
    assert app.run("kubectl", "get", "pods", "-o", "name") == "pod/app\n"
    told = app.log("mca") + app.log("mca", "--previous")
    assert any('"port_taken"' in line and "127.0.0.1:6443" in line for line in told), told
    assert search(node, "taken", "app") == []


def test_pods_go_on_while_kubelet_and_containerd_restart_and_the_token_is_renewed(
    node: Node,
) -> None:
    """A kubelet that starts asks for new tokens: the sidecar takes the file up as it changes."""
    app = Application(node, "restarted", CALLING)
    uid = app.pod["metadata"]["uid"]
    volume = Path("/var/lib/kubelet/pods", uid, "volumes/kubernetes.io~projected/mca-token")
    first = (volume / "token").read_text()
    wait_until(lambda: len(list_credentials(node, "restarted")) == 1, app.log)
    node.restart("containerd", "kubelet")
    create(node, "restarted", write_pod("later", serviceAccountName="app"))
    node.wait_for_pod("restarted", "later")
    wait_until(lambda: (volume / "token").read_text() != first, lambda: "the token is the old one")
    wait_until(lambda: len(list_credentials(node, "restarted")) == 2, app.log)
    status = app.read()["status"]
    for kind in ("initContainerStatuses", "containerStatuses"):
        assert [one["restartCount"] for one in status[kind]] == [0]
    assert set(app.log()) == {"pod/app"}


def list_credentials(node: Node, namespace: str) -> set[str]:
    """Which tokens the pod `app` has called the API server with, by their identifiers.

    Other pods of its account call, too: each sidecar follows its policy.
    """
    user = f"system:serviceaccount:{namespace}:app"
    lines = (node.plane.folder / "audit.jsonl").read_text().splitlines()
    users = (json.loads(line)["user"] for line in lines if user in line and line.endswith("}"))
    return {
        identifier
        for each in users
        if each.get("username") == user
        and each["extra"]["authentication.kubernetes.io/pod-name"] == ["app"]
        for identifier in each["extra"]["authentication.kubernetes.io/credential-id"]
    }


def test_pods_come_back_after_a_power_cut(node: Node) -> None:
    """Nothing in memory is left: each sidecar is a new one, and its application trusts it."""
    app = Application(node, "rebooted", CALLING, restartPolicy="Always")
    wait_until(lambda: "pod/app" in app.log(), app.read)
    before = app.run("sh", "-c", f"cat {ACCOUNT}/ca.crt")
    node.cut_power()
    wait_until(
        lambda: app.read()["status"]["containerStatuses"][0]["restartCount"] > 0 and app.is_whole(),
        app.read,
    )
    assert app.run("kubectl", "get", "pods", "-o", "name") == "pod/app\n"
    assert app.run("sh", "-c", f"cat {ACCOUNT}/ca.crt") != before
    assert search(node, "rebooted", "app") == []
    # MCA's own pods come back without its webhook's help, and serve again.
    wait_until(lambda: is_available(node), lambda: node.plane.kubectl("get", "pods", "-A").stdout)
    create(node, "rebooted", write_pod("later", serviceAccountName="app"))
    node.wait_for_pod("rebooted", "later")
