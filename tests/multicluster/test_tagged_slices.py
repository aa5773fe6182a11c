"""Unmodified clients on a slice that has a stand-in: every version that they meet is tagged.

The member and its stand-in are one control plane here, so that each client's own truth is at hand.
What happens when one of two is lost is shown next door.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.clients.builds import build_go
from tests.clients.pods import Pod
from tests.clients.test_bursts import EARLIER, OBJECTS, ROUNDS, WRITERS, live, write
from tests.controlplane import ControlPlane
from tests.sidecar_process import SidecarProcess, cluster_of

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
NAMESPACE = "tagged"
PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
ROUTE = {
    "name": "slice",
    "priority": 1,
    "match": [
        {"groups": ["", "apps"], "resources": ["configmaps", "deployments", "deployments/*"]}
    ],
    "to": {"members": [{"cluster": "west", "weight": 1}], "standIns": ["home"]},
}
PROTOBUF = "application/vnd.kubernetes.protobuf"
INFORMERS: dict[str, Callable[[], list[str]]] = {
    "go": lambda: [str(build_go("go")), "burst", str(OBJECTS)],
    "python": lambda: [sys.executable, str(CLIENTS / "python_burst.py"), str(OBJECTS)],
}


@pytest.fixture(scope="module")
def sidecar(control_plane: ControlPlane) -> Iterator[SidecarProcess]:
    """Home and west are the same API server: west answers, home would stand in."""
    control_plane.create_namespace(NAMESPACE)
    cluster = cluster_of(control_plane)
    process = SidecarProcess(cluster, namespace=NAMESPACE)
    process.point_to(cluster, cluster, routes=[ROUTE])
    with process:
        yield process


@pytest.fixture(scope="module")
def code(control_plane: ControlPlane, sidecar: SidecarProcess) -> str:
    """What west's versions carry behind them."""
    control_plane.create(PATH, {"metadata": {"name": "coded"}})
    direct = version_of(control_plane.request("GET", f"{PATH}/coded").json())
    tagged = newest(sidecar, "coded")
    control_plane.request("DELETE", f"{PATH}/coded")
    assert re.fullmatch(rf"{direct}[1-9][0-9]{{3}}", tagged) is not None
    return tagged[-4:]


def other(code: str) -> str:
    """The code of some other cluster."""
    return "9999" if code != "9999" else "9998"


def version_of(found: Any) -> str:
    version = found["metadata"]["resourceVersion"]
    assert isinstance(version, str)
    return version


@pytest.mark.parametrize("informer", INFORMERS)
def test_each_event_of_a_burst_is_seen_exactly_once(
    control_plane: ControlPlane, sidecar: SidecarProcess, tmp_path: Path, informer: str
) -> None:
    for number in range(EARLIER):
        write(control_plane, NAMESPACE, "POST", number, 0)

    def answer(what: str) -> None:
        assert what == "burst"
        with ThreadPoolExecutor(WRITERS) as writers:
            for number in range(OBJECTS):
                writers.submit(live, control_plane, NAMESPACE, number)

    pod = Pod(sidecar.client_folder(), sidecar.port, tmp_path)
    (step,) = pod.tell(INFORMERS[informer](), answer)
    expected = {f"add object-{number} 0" for number in range(OBJECTS)}
    for number in range(OBJECTS):
        expected |= {f"update object-{number} {turn}" for turn in range(1, ROUNDS)}
    expected |= {f"delete object-{number} {ROUNDS - 1}" for number in range(OBJECTS)}
    seen = step["result"]["seen"]
    assert {event: count for event, count in seen.items() if count != 1} == {}
    assert set(seen) ^ expected == set()
    assert step["result"]["left"] == []


def test_kubectl_reads_writes_and_locks(
    control_plane: ControlPlane, sidecar: SidecarProcess, code: str
) -> None:
    kubectl = sidecar.kubectl
    kubectl("create", "configmap", "story", "--from-literal=a=1")
    direct = control_plane.request("GET", f"{PATH}/story").json()
    found = json.loads(kubectl("get", "configmap", "story", "-o", "json").stdout)
    assert version_of(found) == version_of(direct) + code
    # A replace with the version that was read, then one with the same, which is stale by then.
    found["data"] = {"a": "2"}
    kubectl("replace", "-f", "-", input=json.dumps(found))
    stale = kubectl("replace", "-f", "-", input=json.dumps(found), check=False)
    assert "the object has been modified" in stale.stderr
    kubectl("label", "configmap", "story", "b=c", "--resource-version", newest(sidecar, "story"))
    late = ("annotate", "configmap", "story", "b=c", "--resource-version", version_of(found))
    assert "the object has been modified" in kubectl(*late, check=False).stderr
    manifest = json.dumps({**found, "metadata": {"name": "story"}, "data": {"a": "3"}})
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)
    kubectl("apply", "-f", "-", input=manifest)
    kubectl("patch", "configmap", "story", "--type=json", "-p", patch(newest(sidecar, "story")))
    assert "story" in kubectl("get", "configmap", "--chunk-size=1").stdout
    assert "story" in kubectl("get", "configmap", "story", "-o", "yaml").stdout
    assert "story" in kubectl("describe", "configmap", "story").stdout
    watch = ("get", "configmap", "--watch", "--output-watch-events", "--request-timeout=2s")
    assert "ADDED" in kubectl(*watch, check=False).stdout
    kubectl("delete", "configmap", "story")
    gone = control_plane.request("GET", f"{PATH}/story")
    assert gone.status == 404


def newest(sidecar: SidecarProcess, name: str) -> str:
    return version_of(sidecar.request("GET", f"{PATH}/{name}").json())


def patch(version: str) -> str:
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    return json.dumps([test, {"op": "add", "path": "/data/b", "value": "4"}])


def test_a_deployment_rolls_through_its_subresources(sidecar: SidecarProcess, code: str) -> None:
    kubectl = sidecar.kubectl
    kubectl("create", "deployment", "story", "--image=example.invalid/main:1")
    kubectl("scale", "deployment", "story", "--replicas=2")
    kubectl("set", "image", "deployment/story", "*=example.invalid/main:2")
    scale = sidecar.request(
        "GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/story/scale"
    ).json()
    assert version_of(scale).endswith(code)
    assert scale["spec"]["replicas"] == 2
    kubectl("delete", "deployment", "story")


@pytest.mark.parametrize("accept", ["application/json", PROTOBUF])
def test_a_chunked_list_goes_on_where_it_stopped(
    control_plane: ControlPlane, sidecar: SidecarProcess, code: str, accept: str
) -> None:
    for number in range(3):
        control_plane.create(PATH, {"metadata": {"name": f"chunk-{number}"}})
    first = sidecar.request("GET", f"{PATH}?limit=1").json()
    token = first["metadata"]["continue"]
    assert token.startswith(f"{code}.")
    headers = {"Accept": accept}
    rest = sidecar.request("GET", f"{PATH}?limit=100&continue={token}", headers=headers)
    assert rest.status == 200
    assert b"chunk-2" in rest.body
    assert code.encode() in rest.body
    foreign = token.replace(code, other(code))
    gone = sidecar.request("GET", f"{PATH}?continue={foreign}", headers=headers)
    assert (gone.status, gone.json()["reason"]) == (410, "Expired")


@pytest.mark.parametrize("query", ["watch=true&", ""])
def test_a_version_of_elsewhere_is_gone(sidecar: SidecarProcess, code: str, query: str) -> None:
    listed = sidecar.request("GET", f"{PATH}?limit=1").json()
    version = version_of(listed)
    assert version.endswith(code)
    for foreign in (version.removesuffix(code) + other(code), version.removesuffix(code), "1"):
        gone = sidecar.request("GET", f"{PATH}?{query}resourceVersion={foreign}")
        assert (gone.status, gone.json()["reason"]) == (410, "Expired")
    ours = f"{PATH}?{query}resourceVersion={version}&timeoutSeconds=1"
    assert sidecar.request("GET", ours).status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_by_a_version_of_elsewhere_conflicts(
    control_plane: ControlPlane, sidecar: SidecarProcess, code: str, method: str
) -> None:
    control_plane.create(PATH, {"metadata": {"name": "locked"}})
    version = newest(sidecar, "locked").removesuffix(code)
    path = f"{PATH}/locked"
    merge = {"Content-Type": "application/merge-patch+json"}

    def call(version: str) -> Any:
        if method == "DELETE":
            options = {"preconditions": {"resourceVersion": version}}
            return sidecar.request("DELETE", f"{path}?dryRun=All", options)
        body = {"metadata": {"name": "locked", "resourceVersion": version}, "data": {"a": "1"}}
        if method == "PUT":
            return sidecar.request("PUT", path, body)
        return sidecar.request("PATCH", path, json.dumps(body).encode(), headers=merge)

    for foreign in (version + other(code), version):
        refused = call(foreign)
        assert (refused.status, refused.json()["reason"]) == (409, "Conflict")
    assert call(version + code).status == 200


def test_compression_is_not_asked_for(sidecar: SidecarProcess) -> None:
    """It could not be looked into; the client gets the same objects."""
    answer = sidecar.request("GET", PATH, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] is None
    assert answer.json()["kind"] == "ConfigMapList"


def test_what_cannot_be_looked_into_is_not_asked_for(sidecar: SidecarProcess) -> None:
    answer = sidecar.request("GET", PATH, headers={"Accept": "application/yaml"})
    assert (answer.status, answer.json()["reason"]) == (406, "NotAcceptable")
