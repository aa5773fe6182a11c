"""What members tell of their kinds: asked for once, kept, doubted, and never guessed."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.audit import AuditLog
from sidecar.books import Books
from sidecar.gate import Gate
from sidecar.inquiry import Told
from sidecar.kinds import Kinds, read_kinds, read_versions
from sidecar.limits import Limiter
from sidecar.log import LineWriter
from sidecar.policy.scopes import ABSENT
from sidecar.policy.verdict import Denial, NeedScope, Reason
from sidecar.secret import Secret
from sidecar.tokens import Callers
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar.member_scene import MemberScene, reply

BATCH = {"resources": [
    {"name": "jobs", "namespaced": True}, {"name": "jobs/status", "namespaced": True},
    {"name": "farms", "namespaced": False},
]}  # fmt: skip
GROUP = {
    "versions": [{"version": "v1"}, {"version": "v2"}],
    "preferredVersion": {"version": "v2"},
}
DENIAL = Denial(Reason.SERVICE_UNAVAILABLE, "upstream/down", "it is down")


class Scene(MemberScene):
    """Kinds, a gate that learns of them, and what a member says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        books = Books(self.metrics, AuditLog(LineWriter(1)))
        callers = Callers(Secret(bytes(32)), ())
        self.gate = Gate(frozenset(), callers, books, Limiter())
        self.kinds = Kinds(self.reactor.loop, self.gate)
        self.says: dict[str, object] = {}

    def serve(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            said = self.says.get(request.target.decode())
            if said is None:
                connection.send(reply(b"{}", b"404 Not Found"))
            else:
                connection.send(
                    said if isinstance(said, bytes) else reply(json.dumps(said).encode())
                )

    def learn(self, scope: NeedScope, times: int = 1) -> list[Denial | None]:
        told: list[Denial | None] = []
        for _ in range(times):
            self.kinds.learn(scope, told.append)
        self.wait_for(lambda: len(told) == times)
        return told


@pytest.fixture
def scene(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def jobs(version: str = "v1", *others: str) -> NeedScope:
    return NeedScope("west", "batch", version, "jobs", others)


def test_it_is_fetched_once_for_all_who_ask(scene: Scene) -> None:
    scene.says["/apis/batch/v1"] = BATCH
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        assert scene.learn(jobs(), times=5) == [None] * 5
        assert len(server.requests) == 1
    look = scene.gate.scopes.look
    assert [look("west", "batch", "v1", kind) for kind in ("jobs", "farms")] == [True, False]
    assert look("west", "batch", "v1", "jobs/status") is ABSENT
    assert look("home", "batch", "v1", "jobs") is None


def test_the_core_group_has_a_path_of_its_own(scene: Scene) -> None:
    scene.says["/api/v1"] = {"resources": [{"name": "pods", "namespaced": True}]}
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        assert scene.learn(NeedScope("west", "", "v1", "pods")) == [None]
    assert scene.gate.scopes.look("west", "", "v1", "pods") is True


def test_an_absence_is_doubted_after_a_second(scene: Scene) -> None:
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        assert scene.learn(jobs()) == [None], "404 tells that it is not there"
        look = scene.gate.scopes.look
        scene.kinds.sweep(time.monotonic())
        assert look("west", "batch", "v1", "jobs") is ABSENT
        scene.kinds.sweep(time.monotonic() + 1.1)
        assert look("west", "batch", "v1", "jobs") is None
        scene.says["/apis/batch/v1"] = BATCH
        assert scene.learn(jobs()) == [None]
        assert look("west", "batch", "v1", "jobs") is True


def test_what_is_known_is_looked_at_again_now_and_then(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind that has another scope since forgets what was decided by the old one."""
    scene.says["/apis/batch/v1"] = BATCH
    forgotten: list[bool] = []
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        scene.learn(jobs())
        monkeypatch.setattr(scene.gate, "forget", lambda: forgotten.append(True))
        later = time.monotonic() + 301
        scene.kinds.sweep(later)
        scene.wait_for(lambda: len(server.requests) == 2)
        scene.turn(0.05)
        assert not forgotten
        scene.says["/apis/batch/v1"] = {"resources": [{"name": "jobs", "namespaced": False}]}
        scene.kinds.sweep(later + 301)
        scene.wait_for(lambda: forgotten)
    assert scene.gate.scopes.look("west", "batch", "v1", "jobs") is False


@pytest.mark.parametrize(
    ("group", "kinds", "often"),
    [
        ("example.com", {"jobs": False}, True),
        ("example.com", {"jobs": True, "farms": False}, True),
        ("example.com", {"jobs": True}, False),
        ("storage.k8s.io", {"jobs": False}, False),
        ("gateway.networking.k8s.io", {"jobs": False}, True),
        ("batch", {"jobs": False}, False),
    ],
)
def test_what_could_widen_is_looked_at_more_often(
    scene: Scene, group: str, kinds: dict[str, bool], often: bool
) -> None:
    """A custom kind that gets namespaces would be listed over all of them."""
    changed: list[bool] = []
    scene.kinds.changed = lambda: changed.append(True)
    path = f"/apis/{group}/v1"
    scene.says[path] = {
        "resources": [{"name": name, "namespaced": scope} for name, scope in kinds.items()]
    }
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        scene.learn(NeedScope("west", group, "v1", "jobs"))
        scene.says[path] = {"resources": [{"name": "jobs", "namespaced": not kinds["jobs"]}]}
        scene.kinds.sweep(time.monotonic() + 6)
        scene.turn(0.1)
        assert len(server.requests) == (2 if often else 1)
        assert changed == ([True] if often else [])


def test_any_version_is_all_of_the_group_s(scene: Scene) -> None:
    scene.says |= {
        "/apis/batch": GROUP,
        "/apis/batch/v1": {"resources": [{"name": "jobs", "namespaced": False},
                                         {"name": "old", "namespaced": True}]},
        "/apis/batch/v2": BATCH,
    }  # fmt: skip
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        assert scene.learn(jobs("")) == [None]
    look = scene.gate.scopes.look
    assert look("west", "batch", "", "jobs") is True, "as the preferred version says"
    assert look("west", "batch", "", "old") is True
    assert look("west", "batch", "v1", "jobs") is False


def test_who_stands_in_is_asked_where_the_first_does_not_answer(scene: Scene) -> None:
    scene.says["/apis/batch/v1"] = BATCH
    with ScriptedServer(scene.serve) as server:
        dead = scene.member(server, token=False)
        scene.kinds.adopt({"west": dead, "home": scene.member(server)})
        assert scene.learn(jobs("v1", "home")) == [None]
    assert scene.gate.scopes.look("home", "batch", "v1", "jobs") is True


@pytest.mark.parametrize(
    "said", [reply(b"no", b"403 Forbidden"), reply(b"nonsense"), reply(b"[]"), b"broken"]
)
def test_what_cannot_be_told_is_said(scene: Scene, said: bytes) -> None:
    scene.says |= {"/apis/batch/v1": said, "/apis/batch": said}
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        for version in ("v1", ""):
            (failure,) = scene.learn(jobs(version))
            assert failure is not None
            assert (failure.reason, failure.rule) == (
                Reason.SERVICE_UNAVAILABLE,
                "tenant/unknown-scope",
            )
            assert "jobs" in failure.message
    assert scene.gate.scopes.look("west", "batch", "v1", "jobs") is None


@pytest.mark.parametrize(
    ("group", "version"),
    [
        ("../api/v1/namespaces/b/secrets", "v1"), ("", "v1/namespaces/b/secrets"), ("ü", "v1"),
        ("", "v1?watch=1"), ("a b", "v1"), ("batch", "V1"), ("a..b", "v1"), ("a" * 254, "v1"),
        ("batch/v1", ""), ("a\r\nHost: b", "v1"),
    ],
)  # fmt: skip
def test_a_name_from_a_body_is_no_path(scene: Scene, group: str, version: str) -> None:
    """It would be called with the sidecar's own credential."""
    with ScriptedServer(scene.serve) as server:
        scene.kinds.adopt({"west": scene.member(server)})
        (failure,) = scene.learn(NeedScope("west", group, version, "pods"))
        assert failure is not None
        assert (failure.reason, failure.rule) == (Reason.FORBIDDEN, "tenant/unknown-kind")
        scene.turn(0.02)
        assert not server.requests


def test_a_replaced_member_s_kinds_are_forgotten(scene: Scene) -> None:
    scene.says["/apis/batch/v1"] = BATCH
    with ScriptedServer(scene.serve) as server:
        member = scene.member(server)
        scene.kinds.adopt({"west": member})
        scene.learn(jobs())
        scene.kinds.adopt({"west": member})
        assert scene.gate.scopes.look("west", "batch", "v1", "jobs") is True
        scene.kinds.adopt({"west": scene.member(server)})
        assert scene.gate.scopes.look("west", "batch", "v1", "jobs") is None
        scene.kinds.adopt({})
        (failure,) = scene.learn(jobs())
        assert failure is not None


def test_an_answer_of_a_replaced_member_is_nobody_s(scene: Scene) -> None:
    """Scope decides tenancy: what one server says must not count for another."""
    told: list[Denial | None] = []
    gate = threading.Event()

    def slow(connection: Connection) -> None:
        connection.read_request()
        gate.wait(5)
        connection.send(reply(json.dumps(BATCH).encode()))

    scene.says["/apis/batch/v1"] = {"resources": [{"name": "jobs", "namespaced": False}]}
    with ScriptedServer(slow) as old, ScriptedServer(scene.serve) as new:
        scene.kinds.adopt({"west": scene.member(old)})
        scene.kinds.learn(jobs(), told.append)
        scene.wait_for(lambda: old.requests)
        scene.kinds.adopt({"west": scene.member(new)})
        assert len(told) == 1
        assert told[0] is not None
        assert scene.learn(jobs()) == [None]
        gate.set()
        scene.turn(0.1)
    assert scene.gate.scopes.look("west", "batch", "v1", "jobs") is False


def test_what_is_asked_for_without_end_is_not_kept(scene: Scene) -> None:
    kinds = scene.kinds
    for number in range(3000):
        kinds.note(("west", f"g{number}.io", "v1"), {})
    assert len(kinds._known) <= 2048
    kinds.note(("west", "batch", "v1"), {"jobs": True})
    kinds.sweep(time.monotonic() + 1.1)
    assert set(kinds._known) == {("west", "batch", "v1")}


def told(document: object) -> Told:
    return Told(200, b"application/json", json.dumps(document).encode())


@pytest.mark.parametrize(
    ("read", "document", "found"),
    [
        (read_kinds, {}, {}),
        (read_kinds, {"resources": [{"name": 1}, 2, {"name": "a", "namespaced": "x"}]}, {}),
        (read_kinds, {"resources": "pods"}, {}),
        (read_versions, GROUP, ["v2", "v1"]),
        (read_versions, {"versions": [{"version": "../v1"}, {"version": "v1"}, {}]}, ["v1"]),
        (read_versions, {"preferredVersion": 1, "versions": {}}, []),
        (read_versions, {"versions": [{"version": f"v{n}"} for n in range(99)]}, 16),
    ],
)
def test_odd_documents_tell_nothing_odd(
    read: Callable[[Told], object], document: object, found: object
) -> None:
    told_of = read(told(document))
    assert (len(told_of) if found == 16 else told_of) == found  # type: ignore[arg-type]


@pytest.mark.parametrize("read", [read_kinds, read_versions])
def test_a_failure_stays_one(read: Callable[[Told | Denial], object]) -> None:
    assert read(DENIAL) is DENIAL
