"""Questions of our own to scripted servers: the whole answer, or why there is none; told once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.inquiry import Inquiry, Told, question
from sidecar.member import Member
from sidecar.policy.verdict import Denial, Reason
from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.sidecar.member_scene import MemberScene, reply

IDENT = b"0af7651916cd43dd8448eb211c80319c"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
)


@pytest.fixture
def scene(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[MemberScene]:
    scene = MemberScene(tmp_path)
    yield scene
    scene.close()


def ask(scene: MemberScene, member: Member, path: str = "/apis", **options: float) -> Told | Denial:
    told: list[Told | Denial] = []
    inquiry = Inquiry(scene.reactor.loop, told.append, **options)  # type: ignore[arg-type]
    inquiry.send_to(member, question(path, b"Accept: application/json"), IDENT)
    scene.wait_for(lambda: told)
    scene.turn(0.02)
    assert len(told) == 1
    return told[0]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (reply(b"{}"), Told(200, b"application/json", b"{}")),
        (reply(b"no", b"404 Not Found"), Told(404, b"application/json", b"no")),
        (CHUNKED, Told(200, b"application/json", b"abcde")),
    ],
)
def test_a_whole_answer(scene: MemberScene, answer: bytes, told: Told) -> None:
    with ScriptedServer(answer_all(answer)) as server:
        member = scene.member(server)
        for _ in range(2):
            assert ask(scene, member) == told
        first = server.requests[0]
        assert first.line == b"GET /apis HTTP/1.1"
        assert first.values(b"Authorization") == [b"Bearer upstream-token"]
        assert first.values(b"Accept") == [b"application/json"]
        assert first.values(b"Audit-ID") == [IDENT]
        assert server.connections == 1, "its connection goes back into the pool"


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "upstream/malformed"),
        (reply(b"abc", b"200 OK", b"Content-Encoding: gzip"), "upstream/malformed"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "upstream/malformed"),
        (b"nonsense\r\n\r\n", "upstream/malformed"),
        (b"", "upstream/broken"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used(scene: MemberScene, answer: bytes, rule: str) -> None:
    def once(connection: Connection) -> None:
        connection.read_request()
        connection.send(answer)

    with ScriptedServer(once) as server:
        told = ask(scene, scene.member(server))
    assert isinstance(told, Denial)
    assert (told.reason, told.rule) == (Reason.BAD_GATEWAY, rule)
    assert "west" in told.message


def test_an_answer_over_the_cap(scene: MemberScene) -> None:
    with ScriptedServer(answer_all(reply(b"a" * 300_000))) as server:
        told = ask(scene, scene.member(server), limit=100_000)
        assert isinstance(told, Denial)
        assert "larger" in told.message


def test_an_answer_that_does_not_come(scene: MemberScene) -> None:
    def silent(connection: Connection) -> None:
        connection.read_request()
        time.sleep(2)

    with ScriptedServer(silent) as server:
        started = time.monotonic()
        told = ask(scene, scene.member(server), timeout_s=0.1)
    assert time.monotonic() - started < 1.5
    assert isinstance(told, Denial)
    assert (told.reason, told.rule) == (Reason.TIMEOUT, "upstream/timeout")


def test_a_member_that_cannot_be_asked(scene: MemberScene) -> None:
    with ScriptedServer() as server:
        told = ask(scene, scene.member(server, token=False))
        assert isinstance(told, Denial)
        assert told.rule == "upstream/credential"
        assert not server.requests


def test_nobody_is_told_who_does_not_wait(scene: MemberScene) -> None:
    told: list[Told | Denial] = []
    with ScriptedServer() as server:
        member = scene.member(server)
        inquiry = Inquiry(scene.reactor.loop, told.append)
        inquiry.send_to(member, question("/apis"), IDENT)
        inquiry.cancel()
        scene.turn(0.1)
        assert not told
        assert isinstance(ask(scene, member), Told)


def test_nor_is_an_end_that_was_due_when_nobody_waited_any_more(scene: MemberScene) -> None:
    told: list[Told | Denial] = []
    with ScriptedServer(answer_all(reply(b"{}"))) as server:
        inquiry = Inquiry(scene.reactor.loop, told.append, limit=1)
        inquiry.send_to(scene.member(server), question("/apis"), IDENT)
        inquiry.queue(b"a" * 100_000)  # too large: it will be told in the loop's next round
        inquiry.cancel()
        scene.turn(0.1)
    assert not told


def test_a_question_is_a_sound_request() -> None:
    with pytest.raises(ValueError, match="header"):
        question("/apis", b"no field")
    for path in ("apis", "/a b", "/a\r\nHost: b", "/ü", "/a#b", ""):
        with pytest.raises(ValueError, match="path"):
            question(path)
