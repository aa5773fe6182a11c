"""A member that answers anything at all: what of it is taken, and that nothing of it harms."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sidecar.secret import Secret
from tests.scripted_server import Connection, Request, ScriptedServer, answer_all
from webhook.controller.access.opening import Bearer, Location, open_member
from webhook.controller.members.probing import (
    Answered,
    Failed,
    fetch_guards,
    fetch_mark,
    judge_guards,
    probe,
)
from webhook.enforcement.guarded import Stored
from webhook.guards.rendering import render_manifests
from webhook.guards.settings import GuardSettings
from webhook.kube import Kube

Answer = Callable[[Request], tuple[int, Any]]


def say(code: int, body: Any) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {code} Any\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def status(code: int, message: str = "no") -> tuple[int, Any]:
    return code, {"kind": "Status", "code": code, "message": message}


@pytest.fixture
def member() -> Iterator[Callable[[Answer], Kube]]:
    opened: list[tuple[Kube, ScriptedServer]] = []

    def start(answer: Answer) -> Kube:
        def run(connection: Connection) -> None:
            while (request := connection.read_request()) is not None:
                connection.send(say(*answer(request)))

        server = ScriptedServer(run)
        server.__enter__()
        address = Location(server.url, server.authority.pem)
        kube = open_member(address, Bearer(Secret(b"t0ps3cret")))
        opened.append((kube, server))
        return kube

    yield start
    for kube, server in opened:
        kube.close()
        server.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, {"gitVersion": "v1.36.3+k3s1"}), "v1.36.3+k3s1"),
        ((200, {"gitVersion": "<b>1.36</b>"}), ""),
        ((200, {"gitVersion": "v1.36" + "x" * 1000}), ""),
        ((200, {"gitVersion": ["v1.36.3"]}), ""),
        ((200, {}), ""),
        (status(403), ""),
    ],
)
def test_it_answers(member: Any, answer: Any, expected: str) -> None:
    found = probe(member(lambda _: answer))
    assert isinstance(found, Answered)
    assert found.version == expected
    assert found.latency_ms >= 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(401), "Unauthorized"),
        (status(500, "boom\x1b[2J" + "x" * 1000), "Unreachable"),
        ((200, b"[]"), "Unreachable"),
        ((200, b"<html>"), "Unreachable"),
        ((302, b""), "Unreachable"),
        ((404, b"t0ps3cret of another server"), "Unreachable"),
        (status(500, "t0ps3cret of another server"), "Unreachable"),
        (status(401, "t0ps3cret of another server"), "Unauthorized"),
        # Larger than any answer of interest: it is not read to its end.
        ((200, b'{"a":"' + b"x" * (9 << 20) + b'"}'), "Unreachable"),
    ],
)
def test_it_does_not_answer_as_it_should(member: Any, answer: Any, reason: str) -> None:
    found = probe(member(lambda _: answer))
    assert isinstance(found, Failed)
    assert found.reason == reason
    assert len(found.message) < 400
    assert found.message.isprintable()
    assert "t0ps3cret" not in found.message


def test_what_is_no_http_is_not_repeated() -> None:
    with ScriptedServer(answer_all(b"220 t0ps3cret of a mail server\r\n\r\n")) as server:
        kube = open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"t")))
        found = probe(kube)
        kube.close()
    assert isinstance(found, Failed)
    assert found.message == f"{server.url}: it does not speak HTTP"


def test_nobody_is_there() -> None:
    with ScriptedServer() as server:
        address = Location(server.url, server.authority.pem)
    found = probe(open_member(address, Bearer(Secret(b"t"))))
    assert isinstance(found, Failed)
    assert found.reason == "Unreachable"


def test_a_redirection_is_not_followed() -> None:
    with ScriptedServer() as other:
        moved = f"HTTP/1.1 307 x\r\nLocation: {other.url}/version\r\nContent-Length: 0\r\n\r\n"
        with ScriptedServer(answer_all(moved.encode())) as server:
            kube = open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"t")))
            assert isinstance(probe(kube), Failed)
            kube.close()
        assert other.connections == 0


@pytest.mark.parametrize(
    ("code", "reason"), [(403, "GuardsForbidden"), (401, "Unauthorized"), (503, "Unreachable")]
)
def test_guards_that_cannot_be_looked_at(member: Any, code: int, reason: str) -> None:
    for look in (fetch_guards, fetch_mark):
        found = look(member(lambda _: status(code)))
        assert isinstance(found, Failed)
        assert found.reason == reason


MANIFESTS = render_manifests(GuardSettings(image=f"mca@sha256:{'0' * 64}"))


def of_kind(request: Request, change: Callable[[Any], Any]) -> tuple[int, Any]:
    """The guards, each spoiled; the webhook is not there."""
    if b"mutatingwebhookconfigurations" in request.target:
        return status(404)
    kind = "ValidatingAdmissionPolicy"
    kind += "Binding" if b"policybindings" in request.target else ""
    items = [change(json.loads(json.dumps(each))) for each in MANIFESTS if each["kind"] == kind]
    return 200, {"items": items}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda each: each, "WebhookMissing"),
        (lambda each: {**each, "spec": None}, "GuardsMissing"),
        (lambda each: {**each, "spec": {}}, "GuardsDiffer"),
        (lambda each: {**each, "spec": {"variables": [1], "validations": [{}]}}, "GuardsDiffer"),
        (lambda each: {**each, "spec": {**each["spec"], "variables": 7}}, "GuardsDiffer"),
        (lambda each: {**each, "metadata": 7}, "GuardsMissing"),
        (lambda each: "x", "GuardsMissing"),
        (lambda each: None, "GuardsMissing"),
    ],
    ids=["whole", "null", "empty", "items", "number", "metadata", "text", "nothing"],
)
def test_guards_of_any_shape(member: Any, change: Any, reason: str) -> None:
    kube = member(lambda request: of_kind(request, change))
    found = fetch_guards(kube)
    assert isinstance(found, Stored)
    lack = judge_guards(found)
    assert lack is not None
    assert lack.reason == reason
    assert isinstance(fetch_mark(kube), tuple)


def test_a_mark_tells_that_one_has_changed(member: Any) -> None:
    version = ["1"]

    def change(each: Any) -> Any:
        each["metadata"] = {**each["metadata"], "uid": "u", "resourceVersion": version[0]}
        return each

    kube = member(lambda request: of_kind(request, change))
    before = fetch_mark(kube)
    assert fetch_mark(kube) == before
    version[0] = "2"
    assert fetch_mark(kube) != before
