"""What a Tenant's status is given, when it is left as it is, and which Events come of it."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripted_server import Connection, Request, ScriptedServer
from webhook.controller.engine.events import Recorder
from webhook.controller.engine.world import Kept
from webhook.controller.tenants.telling import Teller, read_held
from webhook.kube import open_server
from webhook.resources.conditions import Condition
from webhook.resources.meta import Meta
from webhook.resources.tenants import Tenant, parse_tenant

GOOD = Condition("Quota", True, "Provisioned", "", 2)
BAD = Condition("Network", False, "Forbidden", "it may not", 2)


def tenant(*conditions: dict[str, Any], **status: Any) -> Kept[Any]:
    document = {
        "metadata": {"name": "acme", "uid": "u", "resourceVersion": "7", "generation": 2},
        "spec": {"namespaces": {"names": ["a"]}},
        "status": {"conditions": list(conditions), **status},
    }
    found = parse_tenant(document)
    assert isinstance(found, Tenant)
    return Kept(document, found)


def stored(condition: Condition, **changes: Any) -> dict[str, Any]:
    """As the API server has it."""
    return {
        "type": condition.type, "status": str(condition.status), "reason": condition.reason,
        "message": condition.message, "observedGeneration": condition.observed_generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z", **changes,
    }  # fmt: skip


class Scene:
    """A teller, and what came of it."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        server.script = _answer
        kube = open_server(server.url, server.authority.pem, token="controller")
        events = Recorder(kube, "it")
        events.start()
        self.kube, self.teller = kube, Teller(kube, events)

    def list_sent(self, method: bytes) -> list[Request]:
        return [request for request in self._server.requests if request.method == method]

    def events(self) -> list[tuple[str, str]]:
        """Reason and message, once the last that was told has come."""
        self.teller.warn(Meta("last"), "Last", "")
        deadline = time.monotonic() + 10
        while True:
            sent = [json.loads(request.body) for request in self.list_sent(b"POST")]
            if sent and sent[-1]["reason"] == "Last":
                return [(event["reason"], event["message"]) for event in sent[:-1]]
            assert time.monotonic() < deadline
            time.sleep(0.005)


def _answer(connection: Connection) -> None:
    while connection.read_request() is not None:
        connection.send(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ScriptedServer() as server:
        scene = Scene(server)
        yield scene
        scene.kube.close()


def test_it_is_said_for_what_was_judged(scene: Scene) -> None:
    scene.teller.tell(tenant(), [GOOD, BAD], ["a", "b"])
    (written,) = scene.list_sent(b"PATCH")
    assert written.target.startswith(b"/apis/mca.io/v1alpha1/tenants/acme/status?")
    document = json.loads(written.body)
    assert document["metadata"]["resourceVersion"] == "7"
    status = document["status"]
    assert (status["namespaces"], status["observedGeneration"]) == (["a", "b"], 2)
    assert [each["type"] for each in status["conditions"]] == ["Quota", "Network"]


AS_IT_IS: dict[str, Any] = {"namespaces": ["a"], "observedGeneration": 2}


def test_what_is_said_already_is_not_written(scene: Scene) -> None:
    scene.teller.tell(tenant(stored(GOOD), **AS_IT_IS), [GOOD], ["a"])
    assert scene.list_sent(b"PATCH") == []


@pytest.mark.parametrize(
    ("kept", "conditions", "held"),
    [
        (tenant(stored(GOOD, status="False"), **AS_IT_IS), [GOOD], ["a"]),
        (tenant(stored(GOOD), **AS_IT_IS), [GOOD], []),
        (tenant(stored(GOOD), **AS_IT_IS | {"observedGeneration": 1}), [GOOD], ["a"]),
        (tenant(stored(GOOD), **AS_IT_IS), [GOOD, BAD], ["a"]),
    ],
    ids=["condition", "namespaces", "generation", "one more"],
)
def test_each_difference_is_written(
    scene: Scene, kept: Kept[Any], conditions: list[Condition], held: list[str]
) -> None:
    scene.teller.tell(kept, conditions, held)
    assert len(scene.list_sent(b"PATCH")) == 1


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ((), [("NetworkForbidden", "it may not")]),
        ((stored(BAD, message="something else"),), [("NetworkForbidden", "it may not")]),
        ((stored(BAD),), []),
    ],
    ids=["new", "another reason", "known"],
)
def test_what_went_wrong_is_an_event_once(
    scene: Scene, before: tuple[dict[str, Any], ...], told: list[tuple[str, str]]
) -> None:
    silent = Condition("Limits", False, "Refused", "", 2)
    scene.teller.tell(tenant(*before), [GOOD, BAD, silent], ["a"])
    assert scene.events() == told


def test_the_namespaces_that_it_was_said_to_hold() -> None:
    assert read_held(tenant(namespaces=["a", "b"])) == {"a", "b"}
    for odd in (None, "a", 7):
        assert read_held(tenant(namespaces=odd)) == set()
    assert read_held(Kept({}, tenant().value)) == set()
