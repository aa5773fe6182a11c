"""Faults: clients that are slow on purpose, as slowhttptest's -H, -B and -X are.

Each must meet a deadline, hold little, and not slow down the others.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from tests.attacks.conftest import assert_status
from tests.raw_client import RawClient, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import SidecarProcess

CLIENTS = 30
DEADLINES = {
    "MCA_HEAD_TIMEOUT": "1",
    "MCA_BODY_TIMEOUT": "1",
    "MCA_HANDSHAKE_TIMEOUT": "1",
    "MCA_RESPONSE_TIMEOUT": "1.5",
}
CONFIGMAPS = "/api/v1/namespaces/team-a/configmaps"
SECRETS = "/api/v1/namespaces/team-a/secrets"
JSON = "Content-Type: application/json"
BIG = 64 << 20


def serve(connection: Connection) -> None:
    """Big answers to whoever asks for one, small ones to the others."""
    while (request := connection.read_request()) is not None:
        if b"big-length" in request.target:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
            for _ in range(BIG >> 16):
                connection.send(bytes(65536))
        elif b"big-chunked" in request.target:
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(BIG >> 16):
                connection.send(b"10000\r\n" + bytes(65536) + b"\r\n")
            connection.send(b"0\r\n\r\n")
        else:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer(serve) as server:
        yield server


@pytest.fixture
def sidecar(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> SidecarProcess:
    return make_sidecar(upstream.cluster(), env=DEADLINES)


class Probe:
    """Calls all the time, on one connection; remembers the longest it had to wait."""

    def __init__(self, sidecar: SidecarProcess) -> None:
        self.calls = 0
        self.longest_s = 0.0
        self._sidecar = sidecar
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failure: BaseException | None = None

    def _run(self) -> None:
        try:
            with RawClient(self._sidecar) as client:
                while not self._done.wait(0.01):
                    started = time.monotonic()
                    assert client.ask(render_request(self._sidecar)).status == 200
                    self.longest_s = max(self.longest_s, time.monotonic() - started)
                    self.calls += 1
        except BaseException as failure:  # noqa: BLE001 - told by the thread that waits
            self._failure = failure

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self.calls > 20
        assert self.longest_s < 0.5


def drip(clients: list[RawClient], piece: bytes, interval_s: float, seconds: float) -> list[float]:
    """Send a piece to each again and again; when each was answered or closed, in seconds."""
    started = time.monotonic()
    ended: dict[int, float] = {}
    while len(ended) < len(clients) and time.monotonic() - started < seconds:
        for number, client in enumerate(clients):
            if number in ended:
                continue
            try:
                answered = client.send_until_answered([piece])
            except OSError:
                answered = True
            if answered:
                ended[number] = time.monotonic() - started
        time.sleep(interval_s)
    assert len(ended) == len(clients), f"{len(clients) - len(ended)} were never answered"
    return list(ended.values())


def test_slow_heads(sidecar: SidecarProcess) -> None:
    """slowhttptest -H: a header line now and then. The whole head has one deadline."""
    with contextlib.ExitStack() as stack, Probe(sidecar):
        clients = [stack.enter_context(RawClient(sidecar)) for _ in range(CLIENTS)]
        for client in clients:
            client.send(render_request(sidecar)[:-2])
        ended = drip(clients, b"X-A: b\r\n", 0.1, 5)
        assert max(ended) < 3.5
        for client in clients:
            assert_status(client.read_response(), 408, "http/stalled")
            client.wait_closed()


def test_slow_heads_byte_by_byte(sidecar: SidecarProcess) -> None:
    with contextlib.ExitStack() as stack, Probe(sidecar):
        clients = [stack.enter_context(RawClient(sidecar)) for _ in range(CLIENTS)]
        for client in clients:
            client.send(b"G")
        assert max(drip(clients, b"E", 0.1, 5)) < 3.5


@pytest.mark.parametrize("framing", ["Content-Length: 10000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("target", [CONFIGMAPS, SECRETS], ids=["streamed", "judged"])
def test_bodies_that_stall(sidecar: SidecarProcess, framing: str, target: str) -> None:
    with contextlib.ExitStack() as stack, Probe(sidecar):
        clients = [stack.enter_context(RawClient(sidecar)) for _ in range(CLIENTS)]
        for client in clients:
            client.send(render_request(sidecar, "POST", target, JSON, framing, body=b"1\r\n"))
        started = time.monotonic()
        for client in clients:
            answer = client.read_response()
            if answer.status != 503 or target != SECRETS:  # they may not hold all memory either
                assert_status(answer, 408, "http/stalled")
            client.wait_closed()
        assert 0.9 < time.monotonic() - started < 4


def test_slow_bodies_that_are_judged(sidecar: SidecarProcess) -> None:
    """slowhttptest -B: a byte now and then. It is held here, so the whole has one deadline."""
    head = render_request(sidecar, "POST", SECRETS, JSON, "Content-Length: 100000")
    with contextlib.ExitStack() as stack, Probe(sidecar):
        clients = [stack.enter_context(RawClient(sidecar)) for _ in range(CLIENTS)]
        for client in clients:
            client.send(head)
        assert max(drip(clients, b" ", 0.1, 6)) < 3.5
        for client in clients:
            assert_status(client.read_response(), 408, "http/stalled")


def test_a_slow_body_that_is_passed_on_is_the_clusters_to_end(sidecar: SidecarProcess) -> None:
    """It is not held here, and moves: no deadline of ours, and none for the answer meanwhile."""
    head = render_request(sidecar, "POST", CONFIGMAPS, JSON, "Content-Length: 30")
    with RawClient(sidecar) as client:
        client.send(head)
        for _ in range(30):
            time.sleep(0.1)
            client.send(b" ")
        assert client.read_response().status == 200


@pytest.mark.parametrize("kind", ["big-length", "big-chunked"])
def test_readers_that_stall(sidecar: SidecarProcess, kind: str) -> None:
    """slowhttptest -X: big answers that nobody takes. Cut when nothing moved for a while."""
    before = sidecar.rss_bytes()
    with contextlib.ExitStack() as stack, Probe(sidecar):
        clients = [
            stack.enter_context(RawClient(sidecar, receive_buffer=4096)) for _ in range(CLIENTS)
        ]
        for client in clients:
            client.send(render_request(sidecar, "GET", f"/{kind}"))
            client.read_head()
        assert sidecar.rss_bytes() - before < CLIENTS * 400_000
        time.sleep(3.5)
        for client in clients:
            client.read_all()
            assert client.end in ("fin", "reset"), "a cut answer must not end in good order"
    assert sidecar.metric("mca_downstream_connections") == 0


@pytest.mark.parametrize("kind", ["big-length", "big-chunked"])
def test_a_slow_reader_is_not_cut(sidecar: SidecarProcess, kind: str) -> None:
    """It takes a little all the time: the deadline goes by twice."""
    with RawClient(sidecar, receive_buffer=65536) as client:
        client.send(render_request(sidecar, "GET", f"/{kind}"))
        client.read_head()
        for _ in range(26):
            time.sleep(0.1)
            assert len(client.read_exactly(30_000)) == 30_000
        assert client.end == ""


def test_idle_connections_are_kept_and_closed_by_a_reset(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """A client that writes at that moment must learn that nothing was sent."""
    sidecar = make_sidecar(upstream.cluster(), env={**DEADLINES, "MCA_IDLE_TIMEOUT": "3"})
    with RawClient(sidecar) as used, RawClient(sidecar) as unused:
        for _ in range(2):
            assert used.ask(render_request(sidecar)).status == 200
            assert used.is_open(1.5), "an idle connection outlives the head's deadline"
        started = time.monotonic()
        assert used.wait_closed(5) == "reset"
        assert time.monotonic() - started > 0.5
        assert unused.wait_closed(5) == "reset"


def test_the_last_answer_of_a_connection_is_delivered_whole_to_a_slow_reader(
    sidecar: SidecarProcess,
) -> None:
    """`Connection: close` ends the connection after the answer, not in the middle of it."""
    with RawClient(sidecar, receive_buffer=65536) as client:
        client.send(render_request(sidecar, "GET", "/big-length", "Connection: close"))
        assert client.read_head().header("Connection") == "close"
        rest = BIG
        while rest > 2 << 20:
            rest -= len(client.read_exactly(1 << 20))
        for _ in range(20):  # the cluster is through long ago; this takes the linger's time twice
            time.sleep(0.2)
            rest -= len(client.read_exactly(100_000))
        assert len(client.read_all()) == rest
        assert client.end == "close_notify"
