"""Discovery asked for by many at once, and of a member that does not answer it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.multicluster.scene import Planes, route, tenant
from tests.scripted_server import OK, Connection, ScriptedServer
from tests.sidecar_process import SidecarProcess

RULES = {"tenant": tenant(), "routes": [route("slice", {"resources": ["configmaps"]})]}


def test_a_member_that_does_not_tell_delays_one_call(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """Not each document of each caller."""

    def silent(connection: Connection) -> None:
        while connection.read_request() is not None:
            pass

    with ScriptedServer(silent) as server:
        sidecar = make_sidecar((planes.clusters[0], server.cluster()), rules=RULES)
        started = time.monotonic()
        first = sidecar.request("GET", "/api/v1")
        assert time.monotonic() - started > 2
        assert "configmaps" in {kind["name"] for kind in first.json()["resources"]}
        for _ in range(5):
            started = time.monotonic()
            assert sidecar.request("GET", "/api/v1").json() == first.json()
            assert time.monotonic() - started < 2
        assert [line["cluster"] for line in sidecar.events("discovery_incomplete")] == ["west"]


@pytest.mark.parametrize("path", ["/openapi/v2", "/apis"])
def test_those_who_ask_at_once_share_one_answer(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess], path: str
) -> None:
    sidecar = make_sidecar(planes.clusters, rules=RULES)
    mark = planes.home.audit.mark()
    answers: list[Any] = []

    def ask() -> None:
        answers.append(sidecar.request("GET", path))

    callers = [threading.Thread(target=ask) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    asked = [event for event in planes.home.audit.since(mark) if event["requestURI"] == path]
    assert 1 <= len(asked) < 10
    assert len(sidecar.wait_for_audit({answer.headers["Audit-Id"] for answer in answers})) == 20


def test_who_leaves_does_not_take_the_answer_from_the_others(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    gate = threading.Event()

    def slow(connection: Connection) -> None:
        while connection.read_request() is not None:
            gate.wait(10)
            connection.send(OK)

    with ScriptedServer(slow) as server:
        sidecar = make_sidecar((planes.clusters[0], server.cluster()), rules=RULES)
        answers: list[Any] = []

        def stay() -> None:
            answers.append(sidecar.request("GET", "/api/v1"))

        def leave() -> None:
            try:
                sidecar.request("GET", "/api/v1", timeout_s=0.5)
            except OSError:
                answers.append(None)

        for target in (leave, stay):
            threading.Thread(target=target).start()
            time.sleep(0.1)
        deadline = time.monotonic() + 5
        while not answers and time.monotonic() < deadline:
            time.sleep(0.02)
        assert answers == [None]
        gate.set()
        while len(answers) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert answers[1].status == 200
