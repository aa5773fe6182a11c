"""What callers and clusters may have at once: 429 in time, fair between containers."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.controlplane.calls import Answer
from tests.multicluster.scene import Planes, Watch, reload, tenant, wait_for
from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.sidecar_process import SidecarProcess

MAPS = "/api/v1/namespaces/team-a/configmaps"
WATCH = f"{MAPS}?watch=1&fieldSelector=metadata.name%3Dnobody"
KINDS = b'{"kind":"APIResourceList","resources":[{"name":"configmaps","namespaced":true}]}'
CONTAINERS = ("app", "other")


def answer(body: bytes, status: bytes = b"200 OK", *fields: bytes) -> bytes:
    lines = b"".join(b"%b\r\n" % field for field in fields)
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status, lines, len(body), body,
    )  # fmt: skip


class Gated:
    """A member whose calls are answered when the test says so."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.arrived: list[str] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.target == b"/api/v1":
                connection.send(answer(KINDS))
                continue
            with self._lock:
                self.arrived.append(request.target.rpartition(b"/")[2].decode())
                self._now += 1
                self.most = max(self.most, self._now)
            self.open.wait(20)
            with self._lock:
                self._now -= 1
            connection.send(answer(b"{}"))


class Calls:
    """Calls under way, each on a connection of its own."""

    def __init__(self, sidecar: SidecarProcess) -> None:
        self._sidecar = sidecar
        self._threads: list[threading.Thread] = []
        self.answers: list[Answer] = []

    def begin(self, name: str, container: str = "app") -> None:
        def run() -> None:
            token = self._sidecar.token(container)
            self.answers.append(self._sidecar.request("GET", f"{MAPS}/{name}", token=token))

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)

    def join(self) -> list[int]:
        for thread in self._threads:
            thread.join()
        return sorted(answer.status for answer in self.answers)


@pytest.fixture
def gated() -> Iterator[tuple[Gated, ScriptedServer]]:
    script = Gated()
    with ScriptedServer(script) as server:
        yield script, server
        script.open.set()


def assert_limited(refused: Answer, rule: str) -> None:
    assert refused.status == 429, refused.body
    assert refused.json()["reason"] == "TooManyRequests"
    assert refused.headers["Mca-Decision"] == rule
    assert int(refused.headers["Retry-After"]) >= 1


def limited(**limits: Any) -> dict[str, Any]:
    return {"tenant": tenant(limits=limits), "routes": []}


def test_each_container_has_its_own_calls_at_once(
    make_sidecar: Callable[..., SidecarProcess], gated: tuple[Gated, ScriptedServer]
) -> None:
    script, server = gated
    sidecar = make_sidecar(
        (server.cluster(),), rules=limited(concurrentRequests=2), containers=CONTAINERS
    )
    calls = Calls(sidecar)
    for number in range(2):
        calls.begin(f"a{number}")
    wait_for(lambda: len(script.arrived) == 2)
    assert_limited(sidecar.request("GET", MAPS), "limit/concurrent-requests")
    calls.begin("b", "other")
    wait_for(lambda: len(script.arrived) == 3)
    script.open.set()
    assert calls.join() == [200, 200, 200]
    assert sidecar.request("GET", MAPS).status == 200
    assert sidecar.metric("mca_denials_total", reason="limit/concurrent-requests") == 1


def test_watches_are_counted_and_counted_out(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    sidecar = make_sidecar(planes.clusters, rules=limited(watches=2), containers=CONTAINERS)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            assert stack.enter_context(Watch(sidecar, WATCH)).head.status == 200
        assert_limited(sidecar.request("GET", WATCH), "limit/watches")
        other = stack.enter_context(Watch(sidecar, WATCH, container="other"))
        assert other.head.status == 200
        assert sidecar.request("GET", MAPS).status == 200
    wait_for(lambda: sidecar.metric("mca_streams") == 0)
    with Watch(sidecar, WATCH) as again:
        assert again.head.status == 200


def test_a_rate_is_kept(planes: Planes, make_sidecar: Callable[..., SidecarProcess]) -> None:
    rates = [{"verbs": ["list"], "groups": [""], "resources": ["configmaps"],
              "perSecond": 4, "burst": 3}]  # fmt: skip
    sidecar = make_sidecar(planes.clusters, rules=limited(rates=rates))
    assert sidecar.request("GET", MAPS).status == 200  # its kind is known from here on
    time.sleep(1)
    started = time.monotonic()
    answers = [sidecar.request("GET", MAPS) for _ in range(10)]
    passed = [found for found in answers if found.status == 200]
    assert 3 <= len(passed) <= 4 + int(4 * (time.monotonic() - started))
    assert_limited(next(found for found in answers if found.status != 200), "limit/rate")
    assert sidecar.request("GET", f"{MAPS}/one").status == 404, "another verb"
    wait_for(lambda: sidecar.request("GET", MAPS).status == 200)


def test_a_cluster_s_streams_are_bounded(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    home = dataclasses.replace(planes.clusters[0], limits={"maxStreams": 2})
    sidecar = make_sidecar((home,), rules={"tenant": None, "routes": []}, containers=CONTAINERS)
    with contextlib.ExitStack() as stack:
        for container in CONTAINERS:
            stack.enter_context(Watch(sidecar, WATCH, container=container))
        assert_limited(sidecar.request("GET", WATCH), "limit/streams")
        assert sidecar.request("GET", MAPS).status == 200
    wait_for(lambda: sidecar.metric("mca_streams") == 0)
    assert sidecar.request("GET", f"{WATCH}&timeoutSeconds=1").status == 200


def test_seats_at_a_cluster_go_around_the_containers(
    make_sidecar: Callable[..., SidecarProcess], gated: tuple[Gated, ScriptedServer]
) -> None:
    """One that asks for much, and keeps it, does not keep out one that asks for little."""
    script, server = gated
    cluster = dataclasses.replace(server.cluster(), limits={"maxConnections": 3})
    sidecar = make_sidecar((cluster,), containers=CONTAINERS, rules={"routes": []})
    calls = Calls(sidecar)
    for number in range(8):
        calls.begin(f"a{number}")
    wait_for(lambda: len(script.arrived) == 2)
    time.sleep(0.3)
    assert len(script.arrived) == 2, "the last seat is for the others"
    calls.begin("b0", "other")
    wait_for(lambda: "b0" in script.arrived)
    calls.begin("b1", "other")
    time.sleep(0.3)
    script.open.set()
    assert calls.join() == [200] * 10
    assert script.most == 3
    assert server.connections == 3
    assert "b1" in script.arrived[3:8], script.arrived


def test_nobody_waits_for_a_seat_for_ever(
    make_sidecar: Callable[..., SidecarProcess], gated: tuple[Gated, ScriptedServer]
) -> None:
    script, server = gated
    cluster = dataclasses.replace(server.cluster(), limits={"maxConnections": 1})
    sidecar = make_sidecar((cluster,), rules={"routes": []})
    calls = Calls(sidecar)
    calls.begin("first")
    wait_for(lambda: script.arrived)
    started = time.monotonic()
    assert_limited(sidecar.request("GET", MAPS), "limit/connections")
    assert 4 < time.monotonic() - started < 8
    assert script.arrived == ["first"], "nothing of it was sent"
    with contextlib.suppress(OSError):
        sidecar.request("GET", MAPS, timeout_s=0.3)  # leaves while it waits
    script.open.set()
    assert calls.join() == [200]
    assert sidecar.request("GET", f"{MAPS}/last").status == 200


def test_a_member_s_own_429_passes(make_sidecar: Callable[..., SidecarProcess]) -> None:
    busy = answer(b'{"kind":"Status"}', b"429 Too Many Requests", b"Retry-After: 7")
    with ScriptedServer(answer_all(busy)) as server:
        sidecar = make_sidecar(server.cluster())
        found = sidecar.request("GET", MAPS)
    assert (found.status, found.headers["Retry-After"]) == (429, "7")
    assert found.body == b'{"kind":"Status"}'
    assert "Mca-Decision" not in found.headers


def test_new_limits_count_from_the_next_call(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    sidecar = make_sidecar(planes.clusters, rules=limited(watches=5))
    with Watch(sidecar, WATCH) as watch:
        reload(sidecar, planes.clusters, **limited(watches=1))
        assert_limited(sidecar.request("GET", WATCH), "limit/watches")
        assert watch.is_open()
        reload(sidecar, planes.clusters, **limited())
        with Watch(sidecar, WATCH) as more:
            assert more.head.status == 200
