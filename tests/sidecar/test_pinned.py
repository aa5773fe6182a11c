"""Pods whose snapshot may be forged: their tokens go nowhere else than they were made for."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_server import ScriptedServer
from tests.sidecar.pinned_scene import (
    NAMESPACE,
    Home,
    member,
    pin_of,
    pinned_env,
    snapshot,
    wait_for,
    write_member_token,
)
from tests.sidecar_process import SidecarProcess

Make = Callable[..., SidecarProcess]
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
ROUTE = {
    "name": "all",
    "priority": 1,
    "match": [{"groups": ["*"], "resources": ["*"]}],
    "to": {"members": [{"cluster": "eu-1"}]},
}


class Scene:
    """A pod that was made with a token for member eu-1."""

    def __init__(self, make: Make, folder: Path) -> None:
        self.make = make
        self.folder = folder
        self.home = Home()
        self.eu = Home("eu-1")

    def start(self, eu: dict[str, Any], **changes: Any) -> SidecarProcess:
        write_member_token(self.folder, "eu-1", "eu-token")
        pin = pin_of("eu-1", self.eu.server.cluster())
        env = pinned_env(self.folder, self.home.server.cluster("own-token"), [pin])
        document = snapshot("v1-a", eu, **{"routes": [ROUTE]} | changes)
        self.sidecar = self.make(snapshot=document, env=env)
        return self.sidecar

    def member(self, **changes: Any) -> dict[str, Any]:
        return member("eu-1", self.eu.server.cluster(), self.folder, **changes)

    def call(self) -> tuple[int, str]:
        answer = self.sidecar.request("GET", PODS)
        return answer.status, answer.body.decode()


@pytest.fixture
def scene(make_sidecar: Make, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(make_sidecar, tmp_path)
    with scene.home.server, scene.eu.server:
        yield scene


def test_a_pinned_pair_is_called_with_its_token(scene: Scene) -> None:
    scene.start(scene.member())
    status, told = scene.call()
    assert (status, json.loads(told)["by"]) == (200, "eu-1")
    assert scene.eu.server.requests[0].values(b"Authorization") == [b"Bearer eu-token"]
    assert not scene.home.server.requests


def test_home_is_the_pods_own(scene: Scene) -> None:
    with ScriptedServer() as evil:
        forged = member("home", evil.cluster(), scene.folder)
        scene.start(scene.member(), routes=[], clusters=[forged])
        status, told = scene.call()
        assert (status, json.loads(told)["by"]) == (200, "home")
        assert evil.connections == 0
    assert scene.home.server.requests[0].values(b"Authorization") == [b"Bearer own-token"]


def test_no_token_goes_to_another_server(scene: Scene) -> None:
    with ScriptedServer() as evil:
        forgeries: list[dict[str, Any]] = [
            member("eu-1", evil.cluster(), scene.folder),
            scene.member(server=evil.url),
            scene.member(caBundle=member("x", evil.cluster(), scene.folder)["caBundle"]),
            scene.member(credentials={"tokenFile": str(scene.folder / "account" / "token")}),
            scene.member(credentials={"certFile": "/c", "keyFile": "/k"}),
            scene.member(caBundle={"caFile": str(scene.folder / "account" / "ca.crt")}),
            scene.member(credentials={"broker": True}),
        ]
        sidecar = scene.start(forgeries[0])
        for number, forged in enumerate(forgeries):
            broker = {"server": evil.url, "caBundle": forgeries[0]["caBundle"]}
            document = snapshot(f"v1-{number}", forged, routes=[ROUTE], broker=broker)
            sidecar.write_snapshot(document)
            wait_for(lambda: sidecar.events("snapshot_loaded")[-1]["revision"] == f"v1-{number}")  # noqa: B023
            status, told = scene.call()
            assert status == 503, told
            message = json.loads(told)["message"]
            assert message.startswith("mca upstream/credential: cluster eu-1 cannot be called: ")
            assert sidecar.request("GET", PODS).headers["Retry-After"] is None
        assert evil.connections == 0
    assert scene.eu.server.connections == 0


def test_what_is_barred_leaves_the_rest(scene: Scene) -> None:
    late = scene.member(name="late", credentials={
        "tokenFile": str(scene.folder / "members" / "late" / "token")})  # fmt: skip
    only_late = ROUTE | {"name": "late", "priority": 9, "to": {"members": [{"cluster": "late"}]},
                         "match": [{"groups": [""], "resources": ["secrets"]}]}  # fmt: skip
    scene.start(scene.member(), routes=[ROUTE, only_late], clusters=[
        *snapshot("x", scene.member(), late)["clusters"]])  # fmt: skip
    assert scene.call()[0] == 200
    answer = scene.sidecar.request("GET", PODS.replace("pods", "secrets"))
    assert answer.status == 503
    assert b"registered after this pod was made, which has no token for it; restart the pod" in (
        answer.body
    )


def test_a_closed_route_says_so_and_is_never_dialled(scene: Scene) -> None:
    closed = {
        "name": "mca-closed",
        "server": "https://mca-closed.invalid",
        "caBundle": {"caFile": "/var/run/mca/members/mca-closed/ca.crt"},
        "credentials": {"tokenFile": "/var/run/mca/members/mca-closed/token"},
    }
    route = ROUTE | {"to": {"members": [{"cluster": "mca-closed"}]}}
    sidecar = scene.start(closed, routes=[route])
    status, told = scene.call()
    assert status == 503
    assert "names a cluster that cannot be used; `kubectl get routes.mca.io` tells why" in told
    assert not sidecar.events("ca_unusable")
