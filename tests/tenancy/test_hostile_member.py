"""Attack 76 with a real home: a member that lies about its kinds, its objects and itself.

What it says reaches nobody but those who call it, and of that only what is theirs.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scripted_server import Connection, Request, ScriptedServer
from tests.sidecar_process import SidecarProcess, cluster_of
from tests.tenancy.scene import DEV_ROUTE, TENANT, Scene
from tests.tenancy.town import CONFIGMAPS, MARKER, NODES, OURS, PODS, SECRETS, THEIRS

pytestmark = pytest.mark.apiserver

HERE, DEV = OURS
CALLS = 12
Reply = Callable[[Request], bytes]


def reply(document: Any, status: str = "200 OK", *fields: str) -> bytes:
    body = json.dumps(document).encode()
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def resources(group_version: str, **scopes: bool) -> bytes:
    """A discovery document: whether each kind has namespaces."""
    told = [
        {"name": name, "kind": name.title(), "namespaced": namespaced, "verbs": ["get", "list"]}
        for name, namespaced in scopes.items()
    ]
    document = {"kind": "APIResourceList", "groupVersion": group_version, "resources": told}
    return reply(document)


TRUE_CORE = resources("v1", configmaps=True, pods=True, secrets=True, nodes=False)


class Hostile:
    """Tells the truth about the core group, and all else as a test wants it."""

    def __init__(self) -> None:
        self.core = TRUE_CORE
        self.tell: Reply = lambda _: reply({})

    def __call__(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            is_core = request.target.partition(b"?")[0] == b"/api/v1"
            connection.send(self.core if is_core else self.tell(request))


@pytest.fixture
def hostile(scene: Scene) -> Iterator[tuple[Hostile, ScriptedServer, SidecarProcess]]:
    member = Hostile()
    with ScriptedServer(member) as west:
        clusters = [cluster_of(scene.home), west.cluster("token-of-west")]
        rules = {"tenant": TENANT, "routes": [DEV_ROUTE]}
        with SidecarProcess(clusters, namespace=HERE, rules=rules) as sidecar:
            yield member, west, sidecar
            assert sidecar.stderr() == ""


def configmap(namespace: str, data: str) -> dict[str, Any]:
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "web-0", "namespace": namespace},
        "data": {"note": data},
    }


FOREIGN = configmap(THEIRS, MARKER)
LISTED = {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}
LIES: dict[str, tuple[str, Any]] = {
    "object": (CONFIGMAPS.path(DEV, "web-0"), FOREIGN),
    "list": (CONFIGMAPS.path(DEV), LISTED | {"items": [configmap(DEV, "ours"), FOREIGN]}),
    "no-namespace": (
        CONFIGMAPS.path(DEV, "web-0"),
        FOREIGN | {"metadata": {"name": "web-0", "note": MARKER}},
    ),
    "table": (
        CONFIGMAPS.path(DEV),
        {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "columnDefinitions": [],
            "rows": [{"cells": [MARKER], "object": FOREIGN}],
        },
    ),
}


@pytest.mark.parametrize(("path", "document"), LIES.values(), ids=LIES.keys())
def test_76_objects_of_another_namespace_do_not_arrive(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess], path: str, document: Any
) -> None:
    member, _, sidecar = hostile
    member.tell = lambda _: reply(document)
    answer = sidecar.request("GET", path)
    assert (answer.status, answer.headers["Mca-Decision"]) == (502, "upstream/malformed")
    assert MARKER.encode() not in answer.body
    shown = sidecar.kubectl("get", "configmaps", "-n", DEV, check=False)
    assert shown.returncode == 1
    assert MARKER not in shown.stdout + shown.stderr


def test_76_a_watch_is_cut_before_a_foreign_event(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess],
) -> None:
    member, _, sidecar = hostile
    events = [
        {"type": "ADDED", "object": configmap(DEV, "ours")},
        {"type": "ADDED", "object": FOREIGN},
    ]
    body = "".join(f"{json.dumps(event)}\n" for event in events).encode()
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    member.tell = lambda _: chunked + b"\r\n%x\r\n%b\r\n" % (len(body), body)
    done = sidecar.kubectl(
        "get", "--raw", f"{CONFIGMAPS.path(DEV)}?watch=1", check=False, timeout_s=20
    )
    assert MARKER not in done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (1, "error: unexpected EOF\n")


@pytest.mark.parametrize(
    "core",
    [
        resources("v1", configmaps=False, pods=False, secrets=False, nodes=True),
        resources("v1"),
        reply({"kind": "Status"}, "404 Not Found"),
        reply({"resources": "odd"}),
        reply([{}] * 10_000),
    ],
    ids=["upside-down", "empty", "absent", "odd", "large"],
)
def test_76_what_it_says_of_kinds_opens_nothing_at_home(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess], core: bytes
) -> None:
    """It is believed about the slice that it serves, and that only ever narrows."""
    member, west, sidecar = hostile
    member.core = core
    # Its own slice is asked first, so that what it says is known.
    sidecar.request("GET", CONFIGMAPS.path(DEV))
    for path, rule in (
        (NODES.path(HERE), "tenant/cluster-scoped"),
        (NODES.path(), "tenant/cluster-scoped"),
        (PODS.path(), "tenant/all-namespaces"),
        (SECRETS.path(THEIRS), "tenant/namespace"),
        (NODES.path(THEIRS), "tenant/namespace"),
    ):
        assert sidecar.request("GET", path).headers["Mca-Decision"] == rule
    assert sidecar.request("GET", PODS.path(HERE)).status == 200
    asked = {request.target.partition(b"?")[0].decode() for request in west.requests}
    assert all(path.startswith("/api") and THEIRS not in path for path in asked), asked


def test_76_its_discovery_does_not_override_homes(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess], scene: Scene
) -> None:
    member, _, sidecar = hostile
    member.tell = lambda request: resources(
        request.target.removeprefix(b"/apis/").decode(), deployments=False, evil=True
    )
    for path in ("/api/v1", "/apis/apps/v1", "/apis/example.com/v1"):
        own = scene.home.request("GET", path).json()["resources"]
        told = sidecar.request("GET", path).json()["resources"]
        assert [item for item in told if item in own] == own
        assert {item["name"] for item in told} - {item["name"] for item in own} <= {"evil"}
    shown = sidecar.kubectl("get", "deployments", "-n", HERE, "-o", "name").stdout
    assert shown == "deployment.apps/web-0\n"


def test_76_refusals_by_the_thousand_bring_no_storm(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess],
) -> None:
    """Each call is passed on once: there is no newer token to try it with."""
    member, west, sidecar = hostile
    member.tell = lambda _: reply({"kind": "Status", "code": 401}, "401 Unauthorized")
    sidecar.request("GET", CONFIGMAPS.path(DEV))
    before = len(west.requests)
    for _ in range(CALLS):
        assert sidecar.request("GET", CONFIGMAPS.path(DEV)).status == 401
    sent = [request for request in west.requests[before:] if b"configmaps" in request.target]
    assert len(sent) == CALLS
    assert sidecar.request("GET", PODS.path(HERE)).status == 200


def test_76_it_cannot_speak_as_the_sidecar(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess],
) -> None:
    member, _, sidecar = hostile
    forged = ("Mca-Decision: permit", "mca-namespace: team-b", "MCA-Member: home")
    member.tell = lambda _: reply(configmap(DEV, "ours"), "200 OK", *forged, "Audit-Id: forged")
    answer = sidecar.request("GET", CONFIGMAPS.path(DEV, "web-0"))
    assert answer.status == 200
    assert [name for name in answer.headers if name.lower().startswith("mca-")] == []


def test_76_one_that_never_answers_holds_up_nobody_else(
    hostile: tuple[Hostile, ScriptedServer, SidecarProcess],
) -> None:
    member, _, sidecar = hostile
    over = threading.Event()

    def wait(_: Request) -> bytes:
        over.wait(30)
        return b""

    member.tell = wait
    sidecar.request("GET", CONFIGMAPS.path(HERE))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        sidecar.request("GET", CONFIGMAPS.path(DEV), timeout_s=1)
    for _ in range(CALLS):
        assert sidecar.request("GET", CONFIGMAPS.path(HERE)).status == 200
    assert time.monotonic() - started < 5
    over.set()
