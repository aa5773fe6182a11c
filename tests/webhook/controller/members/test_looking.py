"""The course of a look at a member: what is written before it is asked, and when it is asked again.

Servers of ours stand for home and for the member; both tell in which order they were asked.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripted_server import Connection, ScriptedServer
from webhook.controller.engine.world import Kept
from webhook.controller.members.acceptance import Neighbourhood
from webhook.controller.members.credentials import MemberAccess
from webhook.controller.members.looking import Looking
from webhook.kube import open_server
from webhook.resources.clusters import parse_cluster

Raw = dict[str, Any]
PROBE_S = 60.0
SECRET = "/api/v1/namespaces/mca-system/secrets/mca-cluster-eu"


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Scene:
    """One Cluster, as the store has it after each write of its status."""

    def __init__(self, home: ScriptedServer, member: ScriptedServer) -> None:
        self.asked: list[str] = []
        self.version: int | Raw = {"gitVersion": "v1.36.3"}
        self.secret: int | Raw = {
            "metadata": {"name": "mca-cluster-eu"},
            "type": "mca.io/cluster-credentials",
            "data": {"token": encode("registered")},
        }
        self.now = 1000.0
        self.document: Raw | None = {
            "apiVersion": "mca.io/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": "eu", "uid": "u1", "generation": 1, "resourceVersion": "1"},
            "spec": {
                "server": member.url,
                "caBundle": encode(member.authority.pem),
                "credentials": {"tokenRequest": {"secretRef": {"name": "mca-cluster-eu"}}},
            },
        }
        home.script, member.script = self._answer_home, self._answer_member
        self.kube = open_server(home.url, home.authority.pem, token="controller")
        self.looking = Looking(
            self.kube,
            MemberAccess(self.kube, "mca-system", lambda _: None, lambda: True),
            lambda _: self._find(),
            lambda _: Neighbourhood(),
            PROBE_S,
            lambda *_: None,
            lambda: self.now,
            lambda: self.now,
        )

    def _find(self) -> Kept[Any] | None:
        if self.document is None:
            return None
        return Kept(self.document, parse_cluster(self.document))

    def _answer_home(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.method == b"PATCH":
                assert self.document is not None
                status = json.loads(request.body)["status"]
                told = {each["type"]: each["status"] for each in status["conditions"]}
                self.asked.append(f"home: {told}")
                self.document = self.document | {"status": status}
                respond(connection, self.document)
            else:
                respond(connection, self.secret)

    def _answer_member(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            path = request.target.decode().partition("?")[0].rpartition("/")[2]
            self.asked.append(f"member: {path}")
            found: int | Raw = {"items": []} if path.endswith("s") else 404
            respond(connection, self.version if path == "version" else found)

    def look(self) -> float | None:
        self.asked.clear()
        return self.looking.reconcile("eu")

    def condition(self, kind: str) -> tuple[str, str]:
        assert self.document is not None
        conditions = self.document.get("status", {}).get("conditions", ())
        found = [(each["status"], each["reason"]) for each in conditions if each["type"] == kind]
        return found[0] if found else ("", "")

    def probes(self) -> int:
        return self.asked.count("member: version")


def respond(connection: Connection, found: int | Raw) -> None:
    code = found if isinstance(found, int) else 200
    body = json.dumps({"kind": "Status"} if isinstance(found, int) else found).encode()
    connection.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (code, len(body), body))


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ScriptedServer() as home, ScriptedServer() as member:
        scene = Scene(home, member)
        yield scene
        scene.document = None
        scene.looking.reconcile("eu")
        scene.kube.close()


def test_that_it_may_be_used_is_said_before_it_is_asked(scene: Scene) -> None:
    pause = scene.look()
    first, *_, last = scene.asked
    assert first.startswith("home: {'Accepted': 'True'")
    assert "'Ready': 'True'" not in first
    assert "'Ready': 'True'" in last
    assert scene.condition("Enforced") == ("False", "GuardsMissing")
    assert pause is not None
    assert 0.9 * PROBE_S <= pause <= 1.1 * PROBE_S


def test_until_it_is_due_it_is_not_asked_again(scene: Scene) -> None:
    pause = scene.look()
    assert pause is not None
    scene.now += pause / 2
    assert scene.look() == pytest.approx(pause / 2)
    assert scene.asked == []  # nor is anything written
    scene.now += pause
    scene.look()
    assert scene.probes() == 1


def test_guards_are_looked_at_with_every_second_probe(scene: Scene) -> None:
    looked = []
    for _ in range(4):
        scene.look()
        looked.append("member: validatingadmissionpolicies" in scene.asked)
        scene.now += 1.15 * PROBE_S
    assert looked == [True, False, True, False]


def test_one_that_does_not_answer_is_asked_soon_and_less_and_less(scene: Scene) -> None:
    scene.version = 503
    pauses = []
    for _ in range(6):
        pause = scene.look()
        assert pause is not None
        pauses.append(pause)
        scene.now += pause
        assert scene.probes() == 1
    for pause, expected in zip(pauses, (5, 10, 20, 40, PROBE_S, PROBE_S), strict=True):
        assert 0.9 * expected <= pause <= 1.1 * expected
    assert scene.condition("Ready")[0] == "False"
    assert scene.condition("Accepted")[0] == "True"
    scene.version = {"gitVersion": "v1.36.3"}
    pause = scene.look()
    assert pause is not None
    assert pause >= 0.9 * PROBE_S
    assert scene.condition("Ready")[0] == "True"


def test_what_may_not_be_used_is_not_asked(scene: Scene) -> None:
    scene.look()
    scene.secret = 404
    scene.now += 2 * PROBE_S
    scene.look()
    assert scene.probes() == 0
    assert scene.condition("Accepted") == ("False", "SecretMissing")
    assert scene.condition("Ready")[0] == "Unknown"


def test_what_cannot_be_read_for_now_changes_no_verdict(scene: Scene) -> None:
    scene.look()
    scene.secret = 500
    scene.now += 2 * PROBE_S
    scene.look()
    assert scene.condition("Accepted")[0] == "True"


def test_a_change_of_its_spec_is_looked_at_at_once(scene: Scene) -> None:
    scene.look()
    assert scene.document is not None
    scene.document["metadata"]["generation"] = 2
    scene.look()
    assert scene.probes() == 1


def test_a_new_lead_begins_anew(scene: Scene) -> None:
    scene.look()
    scene.looking.begin_term()
    scene.look()
    assert scene.probes() == 1


@pytest.mark.parametrize("goes", ["gone", "deleting"])
def test_one_that_goes_is_forgotten(scene: Scene, goes: str) -> None:
    scene.look()
    before = scene.document
    assert before is not None
    metadata = {**before["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    scene.document = None if goes == "gone" else before | {"metadata": metadata}
    assert scene.look() is None
    assert scene.asked == []
    scene.document = before
    scene.look()
    assert scene.probes() == 1


def test_one_that_says_nothing_is_told_so_once(scene: Scene) -> None:
    assert scene.document is not None
    scene.document["spec"]["server"] = "http://plain"
    assert scene.look() is None
    assert scene.condition("Accepted") == ("False", "Invalid")
    assert scene.look() is None
    assert scene.asked == []
