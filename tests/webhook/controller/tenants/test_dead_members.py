"""Members that do not answer, or answer without end: nobody else is held up by them."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sidecar.secret import Secret
from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.webhook.controller.tenants.scene import SYSTEM, Controller, Home
from webhook.cli.cluster.home_objects import build_credential, render_kubeconfig
from webhook.cli.cluster.identity import Home as HomeIdentity, name_secret
from webhook.cli.install.paths import find_path
from webhook.controller.access.opening import Bearer, Location, open_member
from webhook.controller.engine.settings import ControllerSettings
from webhook.controller.engine.world import World
from webhook.controller.tenants.abroad import Abroad
from webhook.controller.tenants.inspection import Inspection
from webhook.controller.tenants.observing import fetch_api, fetch_namespaces
from webhook.controller.tenants.rests import VISIT_BYTES, Rests
from webhook.controller.tenants.sight import fetch_objects
from webhook.kube import Kube, KubeError, open_server
from webhook.resources.names import API_VERSION, CLUSTERS_PATH, TENANTS_PATH
from webhook.resources.tenants import Tenant, parse_tenant

TENANTS = 12


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections, and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield int(listener.getsockname()[1])


def register(home: Home, name: str, port: int) -> None:
    ca = base64.b64encode(home.plane.ca_pem.encode()).decode()
    server = f"https://127.0.0.1:{port}"
    text = render_kubeconfig(server, ca, "a.b.c")
    for document in build_credential(HomeIdentity("0123456789", SYSTEM), name, text, ""):
        home.plane.create(find_path(document).rpartition("/")[0], document)
    cluster = {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {
            "server": server,
            "caBundle": ca,
            "credentials": {"tokenRequest": {"secretRef": {"name": name_secret(name)}}},
        },
    }
    assert home.plane.request("POST", CLUSTERS_PATH, cluster).status == 201


def test_tenants_of_a_silent_member_hold_up_nobody(
    home: Home, controller: Controller, silent: int
) -> None:
    register(home, "silent", silent)
    path = f"{CLUSTERS_PATH}/silent"
    home.wait(lambda: "conditions" in ((home.get(path) or {}).get("status") or {}))
    for number in range(TENANTS):
        choice = {"names": [f"stuck-{number}"]}
        home.make_tenant(f"stuck-{number}", namespaces=choice, clusters=["silent"], onMembers=True)
    began = time.monotonic()
    home.make_tenant("free", namespaces={"names": ["free"], "create": True})
    home.wait(lambda: home.is_ready("free"), lambda: controller.log()[-2000:])
    # Unknown as yet, the member takes each of the workers one visit; the probes need not wait.
    assert time.monotonic() - began < 25
    home.wait(lambda: home.fails("stuck-0", "Members"), lambda: controller.log()[-2000:])
    assert "silent: " in home.fails("stuck-0", "Members")
    # From then on none of them is waited for.
    began = time.monotonic()
    home.make_tenant("freer", namespaces={"names": ["freer"], "create": True})
    home.wait(lambda: home.is_ready("freer"), lambda: controller.log()[-2000:])
    assert time.monotonic() - began < 5
    for number in range(TENANTS):
        home.merge(f"{TENANTS_PATH}/stuck-{number}", {"metadata": {"finalizers": None}})
        home.send("DELETE", f"{TENANTS_PATH}/stuck-{number}")
    home.send("DELETE", path)


def answer_with(items: int) -> ScriptedServer:
    content = json.dumps({"metadata": {"continue": "more"}, "items": [{}] * items}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()

    def run(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(head + content)

    return ScriptedServer(run)


def visit(server: ScriptedServer) -> Kube:
    return open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"a.b.c")))


@pytest.mark.parametrize("items", [500, 20_000])
def test_a_list_without_end_is_left(items: int) -> None:
    with answer_with(items) as server:
        kube = visit(server)
        for fetch in (
            lambda: fetch_objects(kube, "acme"),
            lambda: fetch_namespaces(kube, "acme", ()),
        ):
            with pytest.raises(KubeError, match="more than 5000 objects") as caught:
                fetch()
            assert caught.value.reason == "TooMany"
        kube.close()
        assert len(server.requests) <= 24


def test_few_objects_that_are_large_are_left() -> None:
    content = json.dumps({"metadata": {"continue": "more"}, "items": [{"a": "x" * (1 << 20)}]})
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
    with ScriptedServer(answer_all(f"{head}{content}".encode())) as server:
        kube = visit(server)
        with pytest.raises(KubeError, match="the answer is too long"):
            fetch_objects(kube.for_at_most(20, VISIT_BYTES), "acme")
        kube.close()
        assert len(server.requests) <= 24


def test_empty_pages_without_end_are_left_in_time() -> None:
    with answer_with(0) as server:
        kube = visit(server)
        began = time.monotonic()
        with pytest.raises(KubeError, match=r"too long in all|timed out|in time"):
            fetch_objects(kube.for_at_most(0.5, VISIT_BYTES), "acme")
        assert time.monotonic() - began < 5
        kube.close()


def test_who_says_nothing_is_not_asked_on(silent: int) -> None:
    with ScriptedServer() as server:
        pem = server.authority.pem
    kube = open_server(f"https://127.0.0.1:{silent}", pem, token="a.b.c").for_at_most(
        0.2, VISIT_BYTES
    )
    with pytest.raises(KubeError):
        fetch_api(kube)
    kube.close()


def test_a_note_is_not_written_over_what_was_not_read(home: Home) -> None:
    home.make_tenant("noted", namespaces={"names": ["x"]}, clusters=["eu"], onMembers=True)
    kube = open_server(home.plane.url, home.plane.ca_pem, token=home.plane.tokens["admin"])
    world = World(kube, ControllerSettings(), CollectorRegistry(), lambda: True)

    def refuse(name: str) -> Kube:
        raise KubeError(0, "", f"{name} is not opened here")

    members = Abroad(world, refuse, lambda _: (), Rests(), Inspection())
    path = f"{TENANTS_PATH}/noted"
    before = parse(home.get(path))
    assert home.merge(path, {"metadata": {"annotations": {"changed": "since"}}}) == 200
    with pytest.raises(KubeError) as caught:
        members.attend(before, told=False)
    assert caught.value.status == 409
    assert members.attend(parse(home.get(path)), told=False)
    kube.close()
    home.send("DELETE", path)


def parse(document: Any) -> Tenant:
    found = parse_tenant(document)
    assert isinstance(found, Tenant)
    return found
