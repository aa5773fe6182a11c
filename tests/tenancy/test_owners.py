"""Attack 77: objects with owners, sent to a member whose garbage collector does not know these.

It collects such an object within seconds, so none is sent there until owners are translated.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.sidecar_process import SidecarProcess, cluster_of
from tests.tenancy.scene import DEV_ROUTE, TENANT, Scene
from tests.tenancy.town import CONFIGMAPS, DEPLOYMENTS, OURS, PODS, object_of

pytestmark = pytest.mark.apiserver

HERE, DEV = OURS
OWNER_UID = "11111111-2222-3333-4444-555555555555"
OWNERS = [{"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": OWNER_UID}]
PATIENCE_S = 60.0
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
PROTOBUF = "application/vnd.kubernetes.protobuf"


@pytest.fixture(scope="module")
def member() -> Iterator[ControlPlane]:
    """With the garbage collector of every cluster."""
    with ControlPlane(controller_manager=True) as plane:
        for namespace in OURS:
            plane.create_namespace(namespace)
        plane.create(CONFIGMAPS.path(DEV), object_of(CONFIGMAPS, "there"))
        yield plane


@pytest.fixture(scope="module")
def sidecar(scene: Scene, member: ControlPlane) -> Iterator[SidecarProcess]:
    """Home, and the member that serves the second namespace."""
    rules = {"tenant": TENANT, "routes": [DEV_ROUTE]}
    clusters = [cluster_of(scene.home), cluster_of(member)]
    with SidecarProcess(clusters, namespace=HERE, rules=rules) as process:
        yield process


def owned(name: str, owners: object = OWNERS) -> dict[str, Any]:
    made = object_of(CONFIGMAPS, name)
    made["metadata"] = {"name": name, "ownerReferences": owners}
    return made | {"apiVersion": "v1", "kind": "ConfigMap"}


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def in_protobuf(name: str) -> bytes:
    texts = ((1, "Pod"), (3, "gone"), (4, OWNER_UID), (5, "v1"))
    owner = b"".join(field(number, text.encode()) for number, text in texts)
    metadata = field(1, name.encode()) + field(13, owner)
    known = field(1, b"v1") + field(2, b"ConfigMap")
    return b"k8s\x00" + field(1, known) + field(2, field(1, metadata))


WRITES: dict[str, tuple[str, str, str, bytes]] = {
    "create": ("POST", "", "application/json", json.dumps(owned("new")).encode()),
    "create-yaml": ("POST", "", "application/yaml", json.dumps(owned("new")).encode()),
    "create-protobuf": ("POST", "", PROTOBUF, in_protobuf("new")),
    "dry-run": ("POST", "?dryRun=All", "application/json", json.dumps(owned("new")).encode()),
    "update": ("PUT", "/there", "application/json", json.dumps(owned("there")).encode()),
    "merge": ("PATCH", "/there", MERGE, json.dumps(owned("there")).encode()),
    "strategic": ("PATCH", "/there", STRATEGIC, json.dumps(owned("there")).encode()),
    "apply": (
        "PATCH",
        "/new?fieldManager=test",
        APPLY,
        json.dumps(owned("new")).encode(),
    ),
    "json-patch": (
        "PATCH",
        "/there",
        JSON_PATCH,
        json.dumps([{"op": "add", "path": "/metadata/ownerReferences", "value": OWNERS}]).encode(),
    ),
    "json-patch-whole": (
        "PATCH",
        "/there",
        JSON_PATCH,
        json.dumps([{"op": "replace", "path": "", "value": owned("there")}]).encode(),
    ),
    "json-patch-metadata": (
        "PATCH",
        "/there",
        JSON_PATCH,
        json.dumps(
            [{"op": "add", "path": "/metadata", "value": owned("there")["metadata"]}]
        ).encode(),
    ),
    "json-patch-copy": (
        "PATCH",
        "/there",
        JSON_PATCH,
        json.dumps([{"op": "copy", "from": "/data", "path": "/metadata/ownerReferences"}]).encode(),
    ),
}


@pytest.mark.parametrize(("method", "suffix", "media", "body"), WRITES.values(), ids=WRITES.keys())
def test_77_no_owner_is_written_on_a_member(
    sidecar: SidecarProcess,
    member: ControlPlane,
    method: str,
    suffix: str,
    media: str,
    body: bytes,
) -> None:
    mark = member.audit.mark()
    path = f"{CONFIGMAPS.path(DEV)}{suffix}"
    answer = sidecar.request(method, path, body, headers={"Content-Type": media})
    assert answer.status == 403, answer.body
    assert answer.headers["Mca-Decision"] == "route/owner-references"
    canary = sidecar.request("GET", CONFIGMAPS.path(DEV, "canary")).headers["Audit-Id"]
    member.audit.wait_for({canary})
    assert [
        event
        for event in member.audit.since(mark)
        if event["verb"] in ("create", "update", "patch")
        and event.get("objectRef", {}).get("resource") == "configmaps"
        and event["objectRef"].get("namespace") == DEV
    ] == []


def test_77_nor_through_a_subresource(sidecar: SidecarProcess) -> None:
    """The server takes the owners of some kinds from a write of their status, too."""
    path = f"{DEPLOYMENTS.path(DEV, 'web-0')}/status"
    body = json.dumps({"metadata": {"ownerReferences": OWNERS}}).encode()
    answer = sidecar.request("PATCH", path, body, headers={"Content-Type": MERGE})
    assert (answer.status, answer.headers["Mca-Decision"]) == (403, "route/owner-references")


@pytest.mark.parametrize("owners", [None, []], ids=["null", "empty"])
def test_77_what_has_no_owner_is_written(
    sidecar: SidecarProcess, member: ControlPlane, owners: object
) -> None:
    body = json.dumps({"metadata": {"ownerReferences": owners}, "data": {"a": "b"}}).encode()
    path = CONFIGMAPS.path(DEV, "there")
    answer = sidecar.request("PATCH", path, body, headers={"Content-Type": MERGE})
    assert (answer.status, answer.json()["data"]) == (200, {"a": "b"})


def test_77_at_home_owners_are_home(sidecar: SidecarProcess, scene: Scene) -> None:
    path = PODS.path(HERE, "web-0")
    uid = scene.home.request("GET", path).json()["metadata"]["uid"]
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": uid}]
    answer = sidecar.request("POST", CONFIGMAPS.path(HERE), owned("owned-at-home", owners))
    assert answer.status == 201
    assert sidecar.request("DELETE", CONFIGMAPS.path(HERE, "owned-at-home")).status == 200


def test_77_a_member_collects_what_its_unknown_owner_left(member: ControlPlane) -> None:
    """Why: the same write, made directly, is undone within seconds."""
    member.create(CONFIGMAPS.path(DEV), owned("doomed"))
    deadline = time.monotonic() + PATIENCE_S
    while member.request("GET", CONFIGMAPS.path(DEV, "doomed")).status != 404:
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.1)
