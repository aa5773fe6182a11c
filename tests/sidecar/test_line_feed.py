"""Calls of our own whose answers are lines without an end, to scripted servers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar import snapshot_watch
from sidecar.inquiry import Told, question
from sidecar.line_feed import LineFeed
from sidecar.member import Member
from sidecar.policy.verdict import Denial
from sidecar.precedence import Precedence
from sidecar.snapshot_watch import SnapshotWatch
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar.member_scene import MemberScene, reply
from tests.sidecar.pinned_scene import HEAD, chunk, event, snapshot

IDENT = b"0af7651916cd43dd8448eb211c80319c"
END = b"0\r\n\r\n"


@pytest.fixture
def scene(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[MemberScene]:
    scene = MemberScene(tmp_path)
    yield scene
    scene.close()


class Reader:
    """Who is told."""

    def __init__(self, scene: MemberScene, **options: Any) -> None:
        self.begun = 0
        self.lines: list[bytes] = []
        self.ends: list[Told | Denial | None] = []
        self.then: Callable[[], None] = lambda: None
        usual = {"limit": 1000, "timeout_s": 5.0} | options
        self.feed = LineFeed(scene.reactor.loop, self._begin, self._hear, self.ends.append, **usual)

    def _begin(self) -> None:
        self.begun += 1

    def _hear(self, line: bytes) -> None:
        self.lines.append(line)
        self.then()

    def ask(self, member: Member) -> None:
        self.feed.send_to(member, question("/watch", b"Accept: application/json"), IDENT)


def sends(*pieces: bytes, pause_s: float = 0.01) -> Callable[[Connection], None]:
    """The script that sends these, and then keeps the connection."""

    def run(connection: Connection) -> None:
        connection.read_request()
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause_s)
        connection.read_request()

    return run


def read(scene: MemberScene, *pieces: bytes, **options: Any) -> Reader:
    """All that came until the end."""
    reader = Reader(scene, **options)
    with ScriptedServer(sends(*pieces)) as server:
        reader.ask(scene.member(server))
        scene.wait_for(lambda: reader.ends)
        scene.turn(0.02)
    assert len(reader.ends) == 1
    return reader


def test_lines_come_whole_however_they_are_cut(scene: MemberScene) -> None:
    stream = HEAD + chunk(b"one\ntw") + chunk(b"o\n\nth") + chunk(b"ree\n") + END
    for size in (1, 7, len(stream)):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        with ScriptedServer(sends(*pieces, pause_s=0)) as server:
            reader = Reader(scene)
            reader.ask(scene.member(server))
            scene.wait_for(lambda: reader.ends)  # noqa: B023
        assert reader.lines == [b"one", b"two", b"", b"three"]
        assert (reader.begun, reader.ends) == (1, [None])


def test_its_connection_goes_back_into_the_pool(scene: MemberScene) -> None:
    def run(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(HEAD + chunk(b"a\n") + END)

    with ScriptedServer(run) as server:
        member = scene.member(server)
        for _ in range(3):
            reader = Reader(scene)
            reader.ask(member)
            scene.wait_for(lambda: reader.ends)  # noqa: B023
        assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(b"a\n"), "it is no stream of plain lines"),
        (HEAD.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer") + chunk(b"x"),
         "it is no stream of plain lines"),
        (HEAD + chunk(b"a" * 1001), "an event is larger than 1000 bytes"),
        (HEAD + chunk(b"ok\n" + b"a" * 1001 + b"\nok\n") + END, "an event is larger than 1000"),
        (reply(b"n" * 70_000, b"403 Forbidden"), "a refusal (403) is larger than 65536 bytes"),
        (reply(b"x", b"403 Forbidden", b"Content-Encoding: gzip"), "compressed"),
        (HEAD + b"zz\r\n", "it broke off"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(scene: MemberScene, answer: bytes, message: str) -> None:
    reader = read(scene, answer)
    (end,) = reader.ends
    assert isinstance(end, Denial)
    assert message in end.message
    assert set(reader.lines) <= {b"ok"}


def test_a_refusal_is_told_whole(scene: MemberScene) -> None:
    reader = read(scene, reply(b"no", b"404 Not Found"))
    assert reader.ends == [Told(404, b"application/json", b"no")]
    assert reader.begun == 0


def test_it_ends_when_its_time_is_over(scene: MemberScene) -> None:
    reader = read(scene, HEAD + chunk(b"a\n"), timeout_s=0.2)
    (end,) = reader.ends
    assert isinstance(end, Denial)
    assert end.rule == "upstream/timeout"
    assert reader.lines == [b"a"]


def test_who_has_heard_enough_hears_no_more(scene: MemberScene) -> None:
    with ScriptedServer(sends(HEAD + chunk(b"a\nb\nc\n"))) as server:
        reader = Reader(scene)
        reader.then = reader.feed.cancel
        member = scene.member(server)
        reader.ask(member)
        scene.wait_for(lambda: reader.lines)
        scene.turn(0.05)
        assert (reader.lines, reader.ends) == ([b"a"], [])
        assert not member.connections, "an answer that is not over ends its connection"


def test_a_watch_that_ends_in_time_is_begun_again_at_once_and_not_lost(
    scene: MemberScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_watch, "_SOUND_S", 0.0)

    def run(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(HEAD + chunk(event("ADDED", snapshot("v1-a"))) + END)

    found: list[bytes] = []
    precedence = Precedence()
    with ScriptedServer(run) as server:
        member = scene.member(server, name="home")
        watch = SnapshotWatch(
            scene.reactor.loop, "team-a", "mca-policy", precedence, lambda: member, lambda: IDENT
        )
        watch.found = found.append
        watch.start(0.0)
        scene.wait_for(lambda: len(found) >= 4)
        watch.stop()
        scene.turn(0.3)
        assert len(found) < 8
        assert server.connections == 1
    assert not precedence.file_counts(1e12), "it was never lost"
