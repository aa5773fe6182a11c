"""Faults: the API server dies under open watches, or forgets; one of several is gone."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.raw_client import RawClient, render_request
from tests.scripted_server import ScriptedServer
from tests.sidecar_process import SidecarProcess

NAMESPACE = "faults"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
WATCHES = 1000
MB = 1 << 20


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Our own: it is killed."""
    with ControlPlane() as own:
        own.create_namespace(NAMESPACE)
        yield own


def wait_for(met: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def write(plane: ControlPlane, name: str) -> str:
    """Create a ConfigMap; its resourceVersion."""
    return str(
        plane.create(CONFIGMAPS, {"metadata": {"name": name}})["metadata"]["resourceVersion"]
    )


def version(plane: ControlPlane) -> str:
    return str(plane.request("GET", f"{CONFIGMAPS}?limit=1").json()["metadata"]["resourceVersion"])


class Watcher:
    """One watch that goes on from where it broke, as informers do; direct or through a sidecar."""

    def __init__(self, plane: ControlPlane, sidecar: SidecarProcess | None, since: str) -> None:
        self._plane = plane
        self._sidecar = sidecar
        self.version = since
        self.names: list[str] = []
        self.ends: list[str] = []
        self.statuses: list[int] = []
        self._stopped = threading.Event()
        self._client: RawClient | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _connect(self) -> tuple[RawClient, bytes]:
        target = f"{CONFIGMAPS}?watch=1&resourceVersion={self.version}&allowWatchBookmarks=true"
        if self._sidecar is not None:
            request = render_request(self._sidecar, "GET", target)
            return RawClient(self._sidecar, timeout_s=60), request
        trust = ssl.create_default_context(cadata=self._plane.ca_pem)
        address = ("127.0.0.1", self._plane.port)
        token = self._plane.tokens["admin"]
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        return RawClient(address, context=trust, timeout_s=60), head.encode()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._client, request = self._connect()
                with self._client as client:
                    self._follow(client, request)
            except OSError:
                pass
            time.sleep(0.1)

    def _follow(self, client: RawClient, request: bytes) -> None:
        client.send(request)
        status = client.read_head().status
        self.statuses.append(status)
        if status != 200:
            return
        line = b""
        try:
            while size := int(client.read_until(b"\r\n"), 16):
                line += client.read_exactly(size)
                client.read_exactly(2)
                *whole, line = line.split(b"\n")
                for event in whole:
                    self._take(json.loads(event))
            self.ends.append("last chunk")
        except EOFError:
            self.ends.append(client.end)

    def _take(self, event: dict[str, dict[str, dict[str, str]]]) -> None:
        metadata = event["object"]["metadata"]
        self.version = metadata["resourceVersion"]
        if str(event["type"]) == "ADDED":
            self.names.append(metadata["name"])

    def stop(self) -> None:
        self._stopped.set()
        if self._client is not None:
            self._client.sock.close()


def test_watches_survive_kill_9_of_the_api_server(
    make_sidecar: Callable[..., SidecarProcess], plane: ControlPlane
) -> None:
    """Beside direct watchers: the same events, none lost, none twice; no end looks like one."""
    sidecar = make_sidecar(plane)
    since = version(plane)
    watchers = [Watcher(plane, sidecar, since) for _ in range(40)]
    watchers += [Watcher(plane, None, since) for _ in range(4)]
    try:
        assert wait_for(lambda: all(watcher.statuses for watcher in watchers))
        for number in range(10):
            write(plane, f"before-{number}")
        assert wait_for(lambda: all(len(watcher.names) == 10 for watcher in watchers))
        plane.kill_api_server()
        assert wait_for(lambda: all(watcher.ends for watcher in watchers))
        assert wait_for(lambda: sidecar.metric("mca_streams") == 0)
        assert sidecar.ask_admin("/readyz").status == 200, "an API outage is not ours"
        plane.start_api_server()
        for number in range(10):
            write(plane, f"after-{number}")
        assert wait_for(lambda: all(len(watcher.names) >= 20 for watcher in watchers), 30)
        time.sleep(0.3)
        expected = [f"{when}-{number}" for when in ("before", "after") for number in range(10)]
        for watcher in watchers:
            assert watcher.names == expected
            assert watcher.ends[0] in ("fin", "reset"), "a broken watch must not look ended"
    finally:
        for watcher in watchers:
            watcher.stop()


def test_1000_watches_end_with_the_api_server_and_leave_nothing(
    make_sidecar: Callable[..., SidecarProcess], plane: ControlPlane
) -> None:
    sidecar = make_sidecar(plane)
    request = render_request(sidecar, "GET", f"{CONFIGMAPS}?watch=1")
    with RawClient(sidecar) as probe:
        assert probe.ask(render_request(sidecar, "GET", CONFIGMAPS)).status == 200
    before = sidecar.rss_bytes()
    fds = sidecar.count_fds()
    clients = []
    try:
        for _ in range(WATCHES):
            client = RawClient(sidecar, timeout_s=30)
            clients.append(client)
            client.send(request)
        for client in clients:
            assert client.read_head().status == 200
        assert sidecar.metric("mca_streams") == WATCHES
        plane.kill_api_server()
        for client in clients:
            client.read_all()
            assert client.end in ("fin", "reset")
    finally:
        for client in clients:
            client.sock.close()
        plane.start_api_server()
    assert wait_for(lambda: sidecar.metric("mca_streams") == 0)
    assert wait_for(lambda: sidecar.count_fds() <= fds)
    assert wait_for(lambda: sidecar.rss_bytes() - before < 5 * MB), (
        f"{(sidecar.rss_bytes() - before) / MB:.1f} MB stayed"
    )
    assert sidecar.request("GET", CONFIGMAPS).status == 200


def test_a_dead_api_server_is_told_at_once(
    make_sidecar: Callable[..., SidecarProcess], plane: ControlPlane
) -> None:
    sidecar = make_sidecar(plane)
    assert sidecar.request("GET", CONFIGMAPS).status == 200
    plane.kill_api_server()
    try:
        for method in ("GET", "POST"):
            answer = sidecar.request(method, CONFIGMAPS)
            assert answer.status == 503
            assert answer.headers["Retry-After"] is None
            assert "connection refused" in answer.json()["message"]
    finally:
        plane.start_api_server()
    assert sidecar.request("GET", CONFIGMAPS).status == 200


def ask_both(
    sidecar: SidecarProcess, plane: ControlPlane, target: str, accept: str
) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    """Status and body through the sidecar and direct."""
    headers = {"Accept": accept}
    ours = sidecar.request("GET", target, headers=headers)
    theirs = plane.request("GET", target, headers=headers)
    return (ours.status, ours.body), (theirs.status, theirs.body)


@pytest.mark.parametrize(
    "accept", ["application/json", "application/vnd.kubernetes.protobuf,application/json"]
)
def test_410_after_a_compaction_is_passed_on_unchanged(
    make_sidecar: Callable[..., SidecarProcess], plane: ControlPlane, accept: str
) -> None:
    """As an answer to a list and as the ERROR event of a watch, in either format."""
    sidecar = make_sidecar(plane)
    old = write(plane, f"old-{'proto' if 'proto' in accept else 'json'}")
    for number in range(3):
        write(plane, f"newer-{'proto' if 'proto' in accept else 'json'}-{number}")
    plane.compact_etcd()
    plane.restart_api_server()  # its watch cache remembers what etcd has forgotten
    lists = f"{CONFIGMAPS}?resourceVersion={old}&resourceVersionMatch=Exact&limit=1"
    ours, theirs = ask_both(sidecar, plane, lists, accept)
    assert ours == theirs
    assert ours[0] == 410
    watches = f"{CONFIGMAPS}?watch=1&resourceVersion={old}&timeoutSeconds=5"
    ours, theirs = ask_both(sidecar, plane, watches, accept)
    assert ours == theirs
    assert b"Expired" in ours[1]


def test_one_of_two_clusters_dead_leaves_the_other_alone(
    make_sidecar: Callable[..., SidecarProcess], plane: ControlPlane
) -> None:
    """Its name is not even found; nothing of it is waited for."""
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster())
        dead = type(upstream.cluster())("https://no-such-host.invalid", plane.ca_pem)
        sidecar.write_snapshot(sidecar.render_snapshot(upstream.cluster(), dead))
        assert wait_for(lambda: len(sidecar.events("snapshot_loaded")) == 2)
        for _ in range(20):
            started = time.monotonic()
            assert sidecar.request("GET", CONFIGMAPS).status == 200
            assert time.monotonic() - started < 3  # a name that is not found takes five
        assert sidecar.ask_admin("/readyz").status == 200
