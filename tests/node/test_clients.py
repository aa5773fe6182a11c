"""Unmodified clients in injected pods of a real node: each does what it does in any pod."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.scene import ROLE, RULES
from tests.node.images import CLIENTS_IMAGE, GO_CLIENT, JAVASCRIPT_CLIENT, build_clients
from tests.node.node import Node
from tests.node.pods import write_pod, write_talker
from tests.node.sidecars import create, open_namespace, search
from tests.node.stories import tell

SPACE = "clients"
PYTHON = Path(__file__).with_name("python_client.py").read_text()


@pytest.fixture(scope="module")
def caller(node: Node, installed: object) -> str:
    """A pod with all clients, as a user without rights on its machine; and one to talk to."""
    node.plane.create(
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        {"metadata": {"name": ROLE}, "rules": RULES},
    )
    # A watch from a version that is older than the server's own cache is too old.
    node.plane.restart_api_server()
    open_namespace(node, SPACE, "app", ROLE)
    node.plane.create_service_account(SPACE, "default")
    node.import_image(build_clients())
    user = {"runAsUser": 1000, "runAsNonRoot": True}
    pod = write_pod("caller", serviceAccountName="app", securityContext=user)
    clients = dict(pod["spec"]["containers"][0], name="clients", image=CLIENTS_IMAGE)
    pod["spec"]["containers"].append(clients)
    create(node, SPACE, pod)
    node.wait_for_pod(SPACE, "caller")
    return "caller"


@pytest.fixture
def talker(node: Node, caller: str) -> Any:
    """A fresh one for each client."""
    pods = f"/api/v1/namespaces/{SPACE}/pods"
    node.plane.create(pods, write_talker())
    yield node.wait_for_pod(SPACE, "talker")
    force = ("--force", "--grace-period=0", "--ignore-not-found")
    node.plane.kubectl("delete", "pod", "talker", "-n", SPACE, *force)


def list_kinds(told: dict[str, Any]) -> list[str]:
    """Of the events of its watch; how many bookmarks come at the end is a matter of time."""
    return list(dict.fromkeys(event["type"] for event in told["watch"]["events"]))


def test_client_go(node: Node, caller: str, talker: Any) -> None:
    container = talker["status"]["containerStatuses"][0]["containerID"]

    def heed(step: str) -> None:
        if step == "logs":  # the next is to follow the log to its end
            name = container.removeprefix("containerd://")
            node.ctr("tasks", "kill", "--signal", "SIGKILL", name)

    told = tell(node, SPACE, caller, [GO_CLIENT, "typed"], heed)
    assert told["get"]["outcome"]["data"] == {"key": "first"}
    assert told["update-stale"]["outcome"]["status"]["code"] == 409
    assert list_kinds(told) == ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    for protocol in ("websocket", "spdy"):
        done = told[f"exec-{protocol}"]
        assert (done["out"], done["err"]) == ("the input, 307200 bytes", "to-stderr\n")
        assert "exit code 7" in str(done["ended"])
        assert told[f"attach-{protocol}"]["ended"] == "ended"
    assert told["logs-follow"].startswith("line 1\n")


def test_javascript(node: Node, caller: str, talker: Any) -> None:
    told = tell(node, SPACE, caller, JAVASCRIPT_CLIENT, lambda _: None)
    assert told["get"]["outcome"]["data"] == {"key": "first"}
    assert told["get-missing"]["code"] == 404
    assert list_kinds(told) == ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    assert (told["exec"]["out"], told["exec"]["errors"]) == ("out\n", "err\n")
    assert "7" in json.dumps(told["exec"]["status"])
    assert told["exec-input"]["out"] == "heard a line\n"
    assert told["port-forward"]["out"] == "to the port\n"
    assert "line 4\n" in told["logs-follow"]


def test_python(node: Node, caller: str, talker: Any) -> None:
    run = ("exec", "-i", "-n", SPACE, caller, "-c", "app", "--", "python3", "-", SPACE)
    done = json.loads(node.plane.kubectl(*run, input=PYTHON).stdout)
    assert {"caller", "talker"} <= set(done.pop("pods"))
    assert done == {
        "events": ["MODIFIED", "DELETED"],
        "log": "line 1\n",
        "exec": ["heard a line\n", 3],
    }


def test_kubectl(node: Node, caller: str) -> None:
    run = ("exec", "-i", "-n", SPACE, caller, "-c", "app", "--", "kubectl")
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kubectl"}}
    applied = node.plane.kubectl(*run, "apply", "-f", "-", input=json.dumps(manifest)).stdout
    assert applied == "configmap/kubectl created\n"
    waited = node.plane.kubectl(*run, "wait", "--for=condition=Ready", "pod/caller").stdout
    assert waited == "pod/caller condition met\n"
    assert node.plane.kubectl(*run, "auth", "can-i", "get", "nodes", check=False).stdout == "no\n"
    missing = node.plane.kubectl(*run, "get", "configmap", "none", check=False)
    assert (missing.returncode, "NotFound" in missing.stderr) == (1, True)


@pytest.mark.parametrize("container", ["app", "clients"])
def test_whoever_runs_them_finds_no_credential(node: Node, caller: str, container: str) -> None:
    assert search(node, SPACE, caller, container) == []
