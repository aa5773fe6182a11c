"""Faults: connections that come and go, that never speak, and more of them than descriptors."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.raw_client import RawClient, render_request
from tests.scripted_server import ScriptedServer
from tests.sidecar_process import SidecarProcess

MB = 1 << 20


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def wait_for(met: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def churn(sidecar: SidecarProcess, count: int, *, reset: bool) -> None:
    """Connections that end without a word."""
    for _ in range(count):
        sock = socket.socket()
        with contextlib.suppress(ConnectionResetError):
            sock.connect(sidecar.api)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()


def test_100000_connections_leave_nothing(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())
    with RawClient(sidecar) as probe:
        assert probe.ask(render_request(sidecar)).status == 200
        churn(sidecar, 2000, reset=False)
        assert wait_for(lambda: sidecar.metric("mca_downstream_connections") == 1)
        fds, rss = sidecar.count_fds(), sidecar.rss_bytes()
        churn(sidecar, 10_000, reset=False)  # not more: each keeps its port for a while
        churn(sidecar, 90_000, reset=True)
        assert wait_for(lambda: sidecar.metric("mca_downstream_connections") == 1)
        assert wait_for(lambda: sidecar.count_fds() <= fds)
        assert wait_for(lambda: sidecar.rss_bytes() - rss < MB)
        assert probe.ask(render_request(sidecar)).status == 200


def test_500_calls_on_connections_of_their_own_leave_nothing(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())

    def call(count: int) -> None:
        for number in range(count):
            with RawClient(sidecar) as client:
                assert client.ask(render_request(sidecar)).status == 200
                if number % 2:
                    client.reset()

    call(100)
    assert wait_for(lambda: sidecar.metric("mca_downstream_connections") == 0)
    fds, rss = sidecar.count_fds(), sidecar.rss_bytes()
    call(500)
    assert wait_for(lambda: sidecar.metric("mca_downstream_connections") == 0)
    assert wait_for(lambda: sidecar.count_fds() <= fds)
    assert wait_for(lambda: sidecar.rss_bytes() - rss < 2 * MB)


# What a client may send before it stops.
HELLO_BEGUN = bytes.fromhex("16030100c8010000c40303")


@pytest.mark.parametrize("sent", [b"", HELLO_BEGUN], ids=["silent", "half-a-hello"])
def test_half_open_handshakes_end(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, sent: bytes
) -> None:
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_HANDSHAKE_TIMEOUT": "1"})
    fds = sidecar.count_fds()
    with contextlib.ExitStack() as stack:
        stuck = []
        for _ in range(300):
            sock = stack.enter_context(socket.create_connection(sidecar.api, timeout=10))
            sock.sendall(sent)
            stuck.append(sock)
        with RawClient(sidecar) as probe:
            assert probe.ask(render_request(sidecar)).status == 200
        assert sidecar.metric("mca_downstream_connections") >= 300
        started = time.monotonic()
        for sock in stuck:
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        assert time.monotonic() - started < 4
    assert wait_for(lambda: sidecar.count_fds() <= fds + 1)


def test_garbage_instead_of_a_handshake(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """A fatal alert comes back where there is one to send, and the connection ends."""
    sidecar = make_sidecar(upstream.cluster())
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 500):
        with socket.create_connection(sidecar.api, timeout=5) as sock:
            sock.sendall(garbage)
            data = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := sock.recv(100):
                    data += piece
            assert data == b"" or data[0] == 21, "an alert or nothing"
    assert sidecar.request("GET", "/version").status == 200


def test_running_out_of_descriptors(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """EMFILE: the sidecar goes on with whom it has, and takes the others when some have gone."""
    sidecar = make_sidecar(
        upstream.cluster(),
        before="resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))",
        # As if we did not know: the guard for this is tested below.
        env={"MCA_MAX_CONNECTIONS": "1000"},
    )
    with RawClient(sidecar) as probe, contextlib.ExitStack() as stack:
        assert probe.ask(render_request(sidecar)).status == 200
        for _ in range(100):
            stack.enter_context(socket.create_connection(sidecar.api, timeout=5))
        assert sidecar.wait_for_event("accept_paused")["reason"] == "Too many open files"
        assert probe.ask(render_request(sidecar)).status == 200
        stack.close()
        with RawClient(sidecar) as late:
            assert late.ask(render_request(sidecar)).status == 200
    assert sidecar.exit_code is None
    # While it is out of them, it says so now and then, not with every try.
    assert len(sidecar.events("accept_paused")) < 20


def test_connections_are_shed_before_descriptors_run_out(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(
        upstream.cluster(), before="resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))"
    )
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(400):
            sock = stack.enter_context(socket.create_connection(sidecar.api, timeout=5))
            clients.append(sock)
        assert wait_for(lambda: bool(sidecar.events("shedding")))
        assert sidecar.count_fds() < 300
        assert not sidecar.events("accept_paused")
    assert wait_for(lambda: is_served(sidecar))
    assert sidecar.events("shedding_over")


def is_served(sidecar: SidecarProcess) -> bool:
    """Whether a call gets its answer; while connections are shed it may get none."""
    try:
        return sidecar.request("GET", "/version").status == 200
    except OSError:
        return False


def test_idle_connections_give_way_oldest_first(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """Under pressure, and silently: no call of theirs is lost."""
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_MAX_CONNECTIONS": "40"})
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(36):
            client = stack.enter_context(RawClient(sidecar))
            assert client.ask(render_request(sidecar)).status == 200
            clients.append(client)
        busy = clients[0]
        assert busy.ask(render_request(sidecar)).status == 200  # no longer the oldest
        stack.enter_context(RawClient(sidecar))
        assert clients[1].wait_closed() == "reset"
        assert busy.is_open()


def test_a_call_that_is_shed_may_be_sent_again(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_MAX_CONNECTIONS": "20"})
    with contextlib.ExitStack() as stack:
        # In the middle of a request, so that they are not idle.
        for _ in range(19):
            client = stack.enter_context(RawClient(sidecar))
            client.send(b"GET / HTTP/1.1\r\n")
        assert wait_for(lambda: bool(sidecar.events("shedding")))
        before = len(upstream.requests)
        with RawClient(sidecar) as client:
            answer = client.ask(render_request(sidecar))
            assert answer.status == 503
            assert answer.header("Retry-After") == "1"
            assert answer.header("Connection") == "close"
            assert answer.header("Mca-Decision") == "overload/shed"
        assert len(upstream.requests) == before
    assert wait_for(lambda: bool(sidecar.events("shedding_over")))
    assert sidecar.request("GET", "/version").status == 200
