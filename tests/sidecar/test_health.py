"""A member's health, at servers that answer, fail, hang and come back."""

import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.inquiry import Inquiry, Told, question
from sidecar.member import Member
from sidecar.policy.snapshot import HealthCheck
from sidecar.policy.verdict import Denial
from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.sidecar.member_scene import LOOPBACK, MemberScene, reply

CHECK = HealthCheck("/readyz", 0.05, 0.2, 2)
READY, NOT_READY = reply(b"ok"), reply(b"no", b"500 Internal Server Error")


@pytest.fixture
def scene(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[MemberScene]:
    monkeypatch.setattr("sidecar.health._SOON_S", 0.02)
    monkeypatch.setattr("sidecar.health._FIRST_RETRY_S", 0.05)
    scene = MemberScene(tmp_path)
    yield scene
    scene.close()


def call(scene: MemberScene, member: Member) -> Told | Denial:
    told: list[Told | Denial] = []
    inquiry = Inquiry(scene.reactor.loop, told.append, timeout_s=5)
    inquiry.send_to(member, question("/call"), b"0" * 32)
    scene.wait_for(lambda: told)
    return told[0]


def rule(told: Told | Denial) -> str:
    assert isinstance(told, Denial), told
    return told.rule


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]  # type: ignore[no-any-return]


def test_a_member_without_a_check_is_never_asked(scene: MemberScene) -> None:
    with ScriptedServer() as server:
        member = scene.member(server)
        assert isinstance(call(scene, member), Told)
        scene.turn(0.3)
        assert [request.target for request in server.requests] == [b"/call"]
        assert member.available


def test_refused_connections_are_counted_and_then_not_tried(scene: MemberScene) -> None:
    member = scene.member(free_port())
    changes: list[bool] = []
    member.changed = lambda: changes.append(member.available)
    met = [rule(call(scene, member)) for _ in range(5)]
    assert met == ["upstream/unreachable"] * 3 + ["upstream/down"] * 2
    assert changes == [False]


def test_it_is_back_once_it_takes_connections(scene: MemberScene) -> None:
    with ScriptedServer() as server:
        member = scene.member(server)
        member.health.failed("a test says so", 0.0)
        refused = call(scene, member)
        assert isinstance(refused, Denial)
        assert "a test says so" in refused.message
        scene.wait_for(lambda: member.available)
        assert not server.requests, "without a check nothing is sent"
        assert isinstance(call(scene, member), Told)
        assert server.connections == 1, "the trial's connection serves the next call"


def test_a_success_between_failures_begins_the_count_anew(scene: MemberScene) -> None:
    member = scene.member(free_port())
    for _ in range(3):
        member.health.failed("x", time.monotonic())
        member.health.failed("x", time.monotonic())
        member.health.reached()
    assert member.available
    member.health.failed("slow", time.monotonic() - 2)
    assert not member.available, "one that keeps callers waiting is down at once"


def test_who_waits_for_a_connection_is_told_when_it_goes_down(scene: MemberScene) -> None:
    """A listener that is full takes no more: what a blackhole looks like from here."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((LOOPBACK, port))
        scene.turn(0.05)
        member = scene.member(port)
        told: list[Told | Denial] = []
        for _ in range(5):
            inquiry = Inquiry(scene.reactor.loop, told.append, timeout_s=9)
            inquiry.send_to(member, question("/call"), b"0" * 32)
        scene.turn(0.1)
        assert not told
        started = time.monotonic()
        scene.wait_for(lambda: len(told) == 5)
        assert time.monotonic() - started < 2
        assert rule(call(scene, member)) == "upstream/down"
        for filler in fillers:
            filler.close()


def test_who_asks_and_leaves_opens_no_connection_each(scene: MemberScene) -> None:
    """A member that takes connections and never ends a handshake."""
    with socket.create_server((LOOPBACK, 0), backlog=1024) as listener:
        member = scene.member(listener.getsockname()[1])
        told: list[Told | Denial] = []
        for _ in range(500):
            inquiry = Inquiry(scene.reactor.loop, told.append)
            inquiry.send_to(member, question("/call"), b"0" * 32)
            inquiry.cancel()
        kept = [Inquiry(scene.reactor.loop, told.append) for _ in range(5)]
        for inquiry in kept:
            inquiry.send_to(member, question("/call"), b"0" * 32)
        scene.turn(0.1)
        assert len(member.connections) == 32
        member.health.failed("a test says so", 0.0)
        assert [rule(met) for met in told] == ["upstream/down"] * 5
        member.sweep(time.monotonic())
        scene.turn(0.1)
        assert len(member.connections) <= 1, "a trial's"


def test_a_shortage_of_ours_is_no_fault_of_the_cluster(scene: MemberScene) -> None:
    with ScriptedServer() as server:
        member = scene.member(server)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        try:
            met = [call(scene, member) for _ in range(5)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert {rule(told) for told in met} == {"overload/connections"}
        assert isinstance(call(scene, member), Told)


def test_calls_that_are_not_answered_count(scene: MemberScene) -> None:
    """Connections are taken, and nothing comes of them."""

    def silent(connection: Connection) -> None:
        connection.read_request()
        connection.read_some()

    with ScriptedServer(silent) as server:
        scene.limits = scene.limits._replace(response_timeout_s=0.05)
        member = scene.member(server)
        told: list[Told | Denial] = []
        for _ in range(3):
            Inquiry(scene.reactor.loop, told.append).send_to(member, question("/a"), b"0" * 32)
        scene.wait_for(lambda: len(server.requests) == 3)
        scene.turn(0.1)
        assert not told
        member.sweep(time.monotonic())
        assert [rule(met) for met in told] == ["upstream/timeout"] * 3
        assert member.health.down == "an answer did not come in time"


def test_its_check_finds_it_down_and_up_again(scene: MemberScene) -> None:
    with ScriptedServer(answer_all(READY)) as server:
        member = scene.member(server, health=CHECK)
        scene.wait_for(lambda: len(server.requests) >= 3)
        assert {request.line for request in server.requests} == {b"GET /readyz HTTP/1.1"}
        server.script = answer_all(NOT_READY)
        server.break_connections()
        scene.wait_for(lambda: not member.available)
        assert "/readyz answers 500" in member.health.down
        assert rule(call(scene, member)) == "upstream/down"
        server.script = answer_all(READY)
        server.break_connections()
        scene.wait_for(lambda: member.available)
        assert isinstance(call(scene, member), Told)


def test_a_member_that_hangs_is_down(scene: MemberScene) -> None:
    def hang(connection: Connection) -> None:
        connection.read_request()
        connection.read_some()

    with ScriptedServer(hang) as server:
        member = scene.member(server, health=CHECK)
        scene.wait_for(lambda: not member.available)
        assert "did not answer within 0.2 s" in member.health.down


def test_a_refusal_is_an_answer(scene: MemberScene) -> None:
    """Who may not read its /readyz still learns that it answers."""
    with ScriptedServer(answer_all(reply(b"no", b"403 Forbidden"))) as server:
        member = scene.member(server, health=CHECK)
        scene.wait_for(lambda: len(server.requests) >= 4)
        assert member.available


def test_a_new_check_takes_the_old_one_s_place(scene: MemberScene) -> None:
    with ScriptedServer(answer_all(READY)) as server:
        member = scene.member(server, health=CHECK)
        scene.wait_for(lambda: server.requests)
        member.adopt(member.cluster._replace(health=CHECK._replace(path="/livez")))
        scene.wait_for(lambda: server.requests[-1].target == b"/livez")
        assert member.is_at(member.cluster._replace(health=None))
        member.adopt(member.cluster._replace(health=None))
        scene.turn(0.05)
        count = len(server.requests)
        scene.turn(0.3)
        assert len(server.requests) == count
        assert not member.is_at(member.cluster._replace(server="https://elsewhere"))


def test_nothing_is_tried_after_the_end(scene: MemberScene) -> None:
    with ScriptedServer(answer_all(READY)) as server:
        member = scene.member(server, health=CHECK)
        scene.wait_for(lambda: server.requests)
        member.retire()
        scene.turn(0.05)
        count = len(server.requests)
        member.health.trip()
        scene.turn(0.3)
        assert len(server.requests) == count
