"""Members whose credentials come from a broker, all of them scripted: what is shown to whom."""

import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.certificates import Authority
from tests.scripted_server import ScriptedServer
from tests.sidecar.member_scene import reply
from tests.sidecar.pinned_scene import (
    NAMESPACE,
    Desk,
    Home,
    encoded,
    fingerprint,
    pinned_env,
    snapshot,
    wait_for,
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
    """A pinned sidecar whose calls go to member eu-1."""

    def __init__(self, make: Make, folder: Path) -> None:
        self.make = make
        self.folder = folder
        self.home = Home()
        self.eu = Home("eu-1")
        self.desk = Desk(lambda number: self.grant(token=f"t{number}"))

    def grant(self, seconds: int = 3600, **changes: Any) -> bytes:
        document = {
            "cluster": "eu-1",
            "server": self.eu.server.url,
            "ca": fingerprint(self.eu.server.authority.pem),
            "secondsLeft": seconds,
        }
        return reply(json.dumps(document | changes).encode())

    def document(self, revision: str = "v1-a", **changes: Any) -> dict[str, Any]:
        eu = {
            "name": "eu-1",
            "server": self.eu.server.url,
            "caBundle": encoded(self.eu.server.authority.pem),
            "credentials": {"broker": True},
        }
        return snapshot(revision, eu, routes=[ROUTE], broker=self.desk.section) | changes

    def start(self, **changes: Any) -> SidecarProcess:
        env = pinned_env(
            self.folder, self.home.server.cluster("own-token"), MCA_BROKER=self.desk.server.url,
            MCA_BROKER_TOKEN=str(self.folder / "broker-token"),
        )  # fmt: skip
        (self.folder / "broker-token").write_text("broker-token")
        self.sidecar = self.make(snapshot=self.document(**changes), env=env)
        return self.sidecar

    def call(self) -> tuple[int, str]:
        answer = self.sidecar.request("GET", PODS)
        return answer.status, answer.body.decode()

    def shown(self) -> list[bytes]:
        """The credentials that the member saw."""
        return [seen.values(b"Authorization")[0] for seen in self.eu.server.requests]

    def wait_for_call(self, status: int, timeout_s: float = 10.0) -> str:
        wait_for(lambda: self.call()[0] == status, timeout_s)
        return self.call()[1]


@pytest.fixture
def scene(make_sidecar: Make, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(make_sidecar, tmp_path)
    with scene.home.server, scene.eu.server, scene.desk.server:
        yield scene


def test_the_broker_gets_the_brokers_token_and_the_member_gets_what_it_gave(scene: Scene) -> None:
    sidecar = scene.start()
    assert "eu-1" in scene.wait_for_call(200)
    (asked,) = scene.desk.asked
    assert asked.line == b"POST /v1/credentials/eu-1 HTTP/1.1"
    assert asked.values(b"Authorization") == [b"Bearer broker-token"]
    assert asked.body == b"{}"
    assert set(scene.shown()) == {b"Bearer t1"}
    wait_for(lambda: scene.desk.reports)
    assert scene.desk.reports == [{"revision": "v1-a", "version": "0.1.0"}]
    sidecar.write_snapshot(scene.document("v1-b"))
    wait_for(lambda: len(sidecar.events("snapshot_loaded")) == 2)
    scene.wait_for_call(200)
    assert len(scene.desk.asked) == 1, "the same member keeps its credential"
    assert not [
        line for line in sidecar.lines() if "t1" in str(line) or "broker-token" in str(line)
    ]


def test_without_the_broker_a_credential_counts_until_its_end(scene: Scene) -> None:
    scene.desk.answer = lambda number: scene.grant(2, token="t")
    scene.start()
    begun = time.monotonic()
    scene.wait_for_call(200)
    scene.desk.fail()
    while time.monotonic() - begun < 1.5:
        assert scene.call()[0] == 200
    told = json.loads(scene.wait_for_call(503))["message"]
    assert "eu-1 cannot be called: its credential has run out, and there is no other: " in told
    assert scene.sidecar.request("GET", PODS).headers["Retry-After"] is None
    scene.desk.down = False
    scene.wait_for_call(200, 15)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(b'{"message": "this pod has no boundary"}', b"403 Forbidden"), "has no boundary"),
        (reply(b"{}", b"503 Service Unavailable"), "the broker answers 503"),
        (reply(b"no"), "is not a JSON object"),
        ({"token": "t", "server": "https://192.0.2.9"}, "another server, CA or name"),
        ({"token": "t", "ca": "0" * 64}, "another server, CA or name"),
        ({"certificate": "no", "key": "pem"}, "certificate cannot be loaded"),
        (reply(b" " * 400_000), "larger than"),
    ],
)
def test_each_refusal_bars_the_member_and_says_why(
    scene: Scene, answer: bytes | dict[str, str], why: str
) -> None:
    said = answer if isinstance(answer, bytes) else scene.grant(**answer)  # type: ignore[arg-type]
    scene.desk.answer = lambda number: said
    scene.start()
    wait_for(lambda: scene.sidecar.events("credential_unusable"))
    status, told = scene.call()
    assert status == 503
    assert why in told
    assert scene.eu.server.connections == 0
    time.sleep(0.3)
    assert len(scene.desk.asked) <= 2


def test_a_credential_that_is_revoked_ends_at_its_renewal(scene: Scene) -> None:
    refusal = reply(b'{"message": "no more"}', b"403 Forbidden")
    scene.desk.answer = lambda number: scene.grant(2, token="t") if number == 1 else refusal
    scene.start()
    scene.wait_for_call(200)
    wait_for(lambda: "no more" in scene.call()[1], 10)
    assert scene.call()[0] == 503
    seen = len(scene.eu.server.requests)
    scene.call()
    assert len(scene.eu.server.requests) == seen


def test_a_certificate_is_shown_and_lies_in_no_file(scene: Scene, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "client-ca")
    pair = authority.issue_client("robot", [])
    scene.eu.server.context.load_verify_locations(cadata=authority.pem)
    scene.eu.server.context.verify_mode = ssl.CERT_REQUIRED
    scene.desk.answer = lambda number: scene.grant(
        certificate=Path(pair.certificate).read_text(), key=Path(pair.key).read_text()
    )
    sidecar = scene.start()
    before = sorted(path.name for path in sidecar.folder.rglob("*"))
    scene.wait_for_call(200)
    assert not scene.eu.server.requests[-1].values(b"Authorization")
    assert sorted(path.name for path in sidecar.folder.rglob("*")) == before
    open_files = [
        os.readlink(link) for link in Path(f"/proc/{sidecar.pid}/fd").iterdir() if link.is_symlink()
    ]
    assert not [path for path in open_files if "memfd" in path]


def test_a_broker_that_is_elsewhere_is_not_asked(scene: Scene) -> None:
    with ScriptedServer() as evil:
        section = {"server": evil.url, "caBundle": encoded(evil.authority.pem)}
        scene.start(broker=section)
        status, told = scene.call()
        assert status == 503
        assert "the broker is elsewhere than when this pod was made; restart the pod" in told
        assert evil.connections == 0
    assert scene.desk.server.connections == 0


def test_a_member_that_is_gone_takes_its_credential_along(scene: Scene) -> None:
    scene.desk.answer = lambda number: scene.grant(1, token="t")
    sidecar = scene.start()
    scene.wait_for_call(200)
    sidecar.write_snapshot(snapshot("v1-b", broker=scene.desk.section))
    wait_for(lambda: "home" in scene.call()[1])
    asked = len(scene.desk.asked)
    time.sleep(1.5)
    assert len(scene.desk.asked) == asked
