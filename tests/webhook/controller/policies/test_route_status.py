"""What is written of Routes, to whom it is said, and when not again. A server of ours is home."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_server import Connection, Request, ScriptedServer
from tests.webhook.controller.policies.lands import Land
from webhook.controller.compiling.verdicts import NO_TENANT, TAKEN, Verdict
from webhook.controller.policies.route_status import AT_ONCE, RouteStatus
from webhook.kube import KubeError, open_server

REFUSED = Verdict(False, NO_TENANT, "label it")


class Scene:
    """Routes of a world, and what came to the API server."""

    def __init__(self, server: ScriptedServer, land: Land) -> None:
        self.land = land
        self.status = RouteStatus(land.world, land.shelf)
        self.codes: dict[str, int] = {}
        self._server = server
        server.script = self._answer
        land.world.events.start()

    def _answer(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            code = self.codes.get(read_name(request), 200)
            body = b'{"kind":"Status"}'
            head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (code, len(body))
            connection.send(head + body)

    def routes(self, *names: str, version: int = 1, **status: Any) -> None:
        for name in names:
            self.land.route("n", name, version=version, **status)

    def tell(self, *names: str, verdict: Verdict = TAKEN) -> float | None:
        return self.status.tell("n", dict.fromkeys(names, verdict))

    @property
    def written(self) -> list[Request]:
        return [each for each in self._server.requests if each.method == b"PATCH"]

    @property
    def names(self) -> list[str]:
        return [read_name(request) for request in self.written]

    @property
    def events(self) -> list[dict[str, Any]]:
        sent = [each for each in self._server.requests if each.method == b"POST"]
        return [json.loads(request.body) for request in sent]


def read_name(request: Request) -> str:
    return request.target.decode().partition("?")[0].split("/")[-2]


def wait_for(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ScriptedServer() as server:
        kube = open_server(server.url, server.authority.pem, token="controller")
        yield Scene(server, Land(tmp_path, kube))
        kube.close()


def test_it_is_written_for_the_version_that_was_judged(scene: Scene) -> None:
    scene.routes("r", version=7)
    assert scene.tell("r") is None
    (written,) = scene.written
    assert written.target.startswith(b"/apis/mca.io/v1alpha1/namespaces/n/routes/r/status?")
    document = json.loads(written.body)
    assert document["metadata"] == {"name": "r", "namespace": "n", "resourceVersion": "7"}
    (condition,) = document["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Accepted", "True")


def test_it_is_said_once_however_late_the_watch_tells(scene: Scene) -> None:
    scene.routes("r")
    for _ in range(3):
        assert scene.tell("r") is None
    assert scene.names == ["r"]
    # Another verdict, or another version without it, and it is said again.
    scene.tell("r", verdict=REFUSED)
    scene.routes("r", version=2)
    scene.tell("r", verdict=REFUSED)
    assert scene.names == ["r"] * 3


def test_what_it_says_already_is_not_written(scene: Scene) -> None:
    said = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    scene.routes("said", conditions=[said])
    scene.routes("older", conditions=[{**said, "reason": "Other"}])
    scene.tell("said", "older")
    assert scene.names == ["older"]


def test_one_that_goes_and_comes_again_is_told_anew(scene: Scene) -> None:
    scene.land.shelf.store.listen(scene.status.concerns)
    scene.routes("r")
    scene.tell("r")
    scene.land.shelf.store.put("n/r", None)
    scene.routes("r")
    scene.tell("r")
    assert scene.names == ["r", "r"]


def test_a_flood_takes_turns(scene: Scene) -> None:
    names = [f"r{number}" for number in range(AT_ONCE + 3)]
    scene.routes(*names)
    pause = scene.tell(*names)
    assert pause is not None
    assert 0 < pause < 1
    assert len(scene.names) == AT_ONCE
    assert scene.tell(*names) is None
    assert sorted(scene.names) == sorted(names)


def test_who_is_refused_is_told_by_an_event_too(scene: Scene) -> None:
    scene.routes("good", "bad")
    scene.tell("good")
    scene.tell("bad", verdict=REFUSED)
    wait_for(lambda: scene.events)
    (event,) = scene.events
    assert event["involvedObject"]["name"] == "bad"
    assert (event["type"], event["reason"], event["message"]) == ("Warning", NO_TENANT, "label it")


@pytest.mark.parametrize("code", [404, 409])
def test_one_that_was_gone_or_made_anew_keeps_no_other_from_it(scene: Scene, code: int) -> None:
    scene.routes("gone", "there")
    scene.codes["gone"] = code
    assert scene.tell("gone", "there", verdict=REFUSED) is None
    assert sorted(scene.names) == ["gone", "there"]
    wait_for(lambda: scene.events)
    assert [event["involvedObject"]["name"] for event in scene.events] == ["there"]
    # It was not said, so it is tried again with the next turn.
    scene.tell("gone", "there", verdict=REFUSED)
    assert scene.names.count("gone") == 2


def test_a_server_that_fails_ends_the_turn(scene: Scene) -> None:
    scene.routes("r")
    scene.codes["r"] = 500
    with pytest.raises(KubeError):
        scene.tell("r")
    scene.codes.clear()
    scene.tell("r")
    assert scene.names[-1] == "r"


def test_a_new_term_says_what_another_leader_may_not_have_said(scene: Scene) -> None:
    scene.routes("r")
    scene.tell("r")
    scene.status.begin_term()
    scene.tell("r")
    assert scene.names == ["r"] * 2
