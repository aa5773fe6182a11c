"""kubectl, direct and through the sidecar: the same words, the same exit codes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import kubectl_story
from tests.clients.canonical import Canon, assert_equal
from tests.clients.pods import Pod
from tests.clients.scene import Scene
from tests.controlplane import find_binary

pytestmark = pytest.mark.apiserver
NAME = "clients-kubectl"
# The commands that must fail, and how; all others must not.
FAILURES = {
    "create-again": (1, "already exists"),
    "create-invalid": (1, "Not_A_Name"),
    "get-missing": (1, "NotFound"),
    "diff": (1, ""),
    "apply-conflict": (1, "conflict"),
    "get-unknown": (1, "the server doesn't have a resource type"),
    "get-all": (1, "Forbidden"),
    "get-forbidden": (1, "Forbidden"),
    "patch-json-failing": (1, "rejected our request"),
    "patch-conflict": (1, "Conflict"),
    "replace-stale": (1, "Conflict"),
    "scale-refused": (1, "Expected replicas"),
    "wait-not": (1, "timed out"),
    "can-i-not": (1, ""),
    "raw-expired": (1, "Expired"),
    "raw-nowhere": (1, "Forbidden"),
    "raw-forbidden": (1, "Forbidden"),
    "exec": (7, "exit code 7"),
    "exec-stray": (1, "not found"),
    "exec-missing": (1, "NotFound"),
    "attach-stray": (1, "not found"),
    "logs-stray": (1, "not found"),
    "port-forward-stray": (1, "not found"),
    "delete-again": (1, "NotFound"),
}


def test_kubectl_says_the_same_through_the_sidecar(scene: Scene) -> None:
    with scene.pair(NAME) as pair:
        namespaces = {pair.direct.port: f"{NAME}-a", pair.meshed.port: f"{NAME}-b"}
        scene.plane.compact_etcd()
        told = pair.both(lambda pod: kubectl_story.tell(pod, namespaces[pod.port]))
        calls = pair.sidecar.audit_lines()
    direct, meshed = (
        Canon(namespace=namespace, ports=namespaces).steps(steps)
        for namespace, steps in zip(namespaces.values(), told, strict=True)
    )
    assert_equal(direct, meshed)
    check_chapters(direct)
    assert len(calls) > len(meshed)
    assert {call["decision"] for call in calls} == {"permit"}


TOKEN_SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/service-account-token",
    "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "story"}},
}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("create token story", "failed to create token: mca guard/token-request: "),
        ("create -f -", "Error from server (Forbidden): error when creating"),
        ("get --raw /api/v1/nodes/n/proxy/metrics", "(Forbidden): mca guard/proxy: "),
        ("get --raw /api/v1/pods?watch=0&watch=1", "(BadRequest): mca "),
        ("get pods --token=not-ours", "You must be logged in to the server"),
    ],
)
def test_refusals_of_the_sidecar_read_as_errors_of_the_server(
    refusing: Pod, command: str, words: str
) -> None:
    kubectl = str(find_binary("kubectl"))
    done = refusing.run([kubectl, *command.split(" ")], text=json.dumps(TOKEN_SECRET))
    assert done.returncode == 1
    assert words in done.stderr


@pytest.fixture(scope="module")
def refusing(scene: Scene) -> Iterator[Pod]:
    with scene.pair("clients-refused") as pair:
        yield pair.meshed


def check_chapters(told: dict[str, Any]) -> None:
    watched = [["EVENT", "NAME"], *([kind, "there"] for kind in ("ADDED", "MODIFIED"))]
    assert told.pop("watch") == [*watched, ["DELETED", "there"]]
    assert told.pop("port-forward") == {"heard": ["to the port", "to the port"]}
    met = {step: result["code"] for step, result in told.items() if result["code"] != 0}
    assert met == {step: code for step, (code, _) in FAILURES.items()}
    for step, (_, words) in FAILURES.items():
        assert words in " ".join([*told[step]["err"], *map(str, told[step]["out"])]), step
    assert told["raw-watch-expired"]["out"]["object"]["code"] == 410
    pages = [name for name in told["get-chunks"]["out"] if "page" in name]
    assert pages == [f"configmap/page-{number}" for number in range(5)]
    assert told["exec-input"]["out"] == ["to a container"]
    assert told["attach"]["out"][-1] == "to a container"
    assert told["logs-follow"]["out"] == told["logs"]["out"] != []
    assert told["can-i"]["out"] == ["yes"]
