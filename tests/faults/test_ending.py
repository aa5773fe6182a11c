"""Faults: SIGTERM while the application still works. Kubernetes ends native sidecars last."""

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.raw_client import RawClient, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import SidecarProcess

TARGET = "/api/v1/namespaces/team-a/configmaps"
EVENT = b'{"type":"ADDED","object":{}}\n'
FRAMED = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
WATCH_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def serve(connection: Connection) -> None:
    """Watches stay open, slow ones take a second, the others are answered at once."""
    while (request := connection.read_request()) is not None:
        if b"watch=1" in request.target:
            connection.send(WATCH_HEAD + FRAMED)
            connection.server.script_event.wait(30)  # type: ignore[attr-defined]
            return
        if b"half=1" in request.target:
            connection.send(WATCH_HEAD + FRAMED[:20])
            connection.read_some()
            return
        if b"slow=1" in request.target:
            time.sleep(1)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer(serve) as server:
        server.script_event = threading.Event()  # type: ignore[attr-defined]
        yield server
        server.script_event.set()  # type: ignore[attr-defined]


def test_an_idle_sidecar_ends_soon(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())
    started = time.monotonic()
    sidecar.signal(signal.SIGTERM)
    assert sidecar.wait(5) == 0
    assert time.monotonic() - started < 3
    assert [line["event"] for line in sidecar.events()][-2:] == ["draining", "stopped"]


def test_idle_connections_hold_nothing_up(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())
    with RawClient(sidecar) as client:
        assert client.ask(render_request(sidecar)).status == 200
        sidecar.signal(signal.SIGTERM)
        assert client.wait_closed(5) == "reset"  # what is not under way cannot be lost by it
        assert sidecar.wait(5) == 0


def test_it_serves_on_as_long_as_it_is_used(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """New connections too: the application's containers end first, in their own time."""
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_DRAIN_GRACE": "30"})
    sidecar.signal(signal.SIGTERM)
    sidecar.wait_for_event("draining")
    for _ in range(10):
        with RawClient(sidecar) as client:
            answer = client.ask(render_request(sidecar))
            assert answer.status == 200
            assert answer.header("Connection") == "close"
            client.wait_closed()
        assert sidecar.ask_admin("/readyz").status == 503
        assert sidecar.ask_admin("/livez").status == 200
        time.sleep(0.3)
    assert sidecar.exit_code is None
    assert sidecar.wait(5) == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_next_answer_announces_the_end(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, method: str
) -> None:
    """On connections that were open before, also for calls that are known by heart."""
    sidecar = make_sidecar(upstream.cluster())
    with RawClient(sidecar) as client:
        request = render_request(sidecar, method, TARGET, "Content-Length: 0")
        for _ in range(3):
            assert client.ask(request).header("Connection") is None
        sidecar.signal(signal.SIGTERM)
        sidecar.wait_for_event("draining")
        answer = client.ask(request)
        assert answer.status == 200
        assert answer.header("Connection") == "close"
        assert client.wait_closed() == "close_notify"


def test_a_call_under_way_is_finished(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())
    with RawClient(sidecar) as client:
        client.send(render_request(sidecar, "GET", f"{TARGET}?slow=1"))
        upstream.wait_for_requests(1)
        sidecar.signal(signal.SIGTERM)
        answer = client.read_response()
        assert answer.status == 200
        assert answer.header("Connection") == "close"
        assert client.wait_closed() == "close_notify"
    assert sidecar.wait(5) == 0


def test_answers_of_our_own_announce_the_end(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())
    with RawClient(sidecar) as client:
        denied = render_request(sidecar, "GET", "/api/v1/nodes/n/proxy")
        assert client.ask(denied).header("Connection") is None
        sidecar.signal(signal.SIGTERM)
        sidecar.wait_for_event("draining")
        assert client.ask(denied).header("Connection") == "close"


def test_a_watch_does_not_hold_the_end_up(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """It goes on for the grace, then it is ended between two events, as a server ends one."""
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_DRAIN_GRACE": "2"})
    with RawClient(sidecar) as client:
        client.send(render_request(sidecar, "GET", f"{TARGET}?watch=1"))
        client.read_head()
        assert client.read_exactly(len(FRAMED)) == FRAMED
        started = time.monotonic()
        sidecar.signal(signal.SIGTERM)
        assert client.read_all() == b"0\r\n\r\n"
        assert 1.5 < time.monotonic() - started < 3.5
        assert client.end == "close_notify"
    assert sidecar.wait(5) == 0


def test_a_watch_inside_an_event_is_cut(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_DRAIN_GRACE": "1"})
    with RawClient(sidecar) as client:
        client.send(render_request(sidecar, "GET", f"{TARGET}?half=1&watch=true"))
        client.read_head()
        sidecar.signal(signal.SIGTERM)
        assert client.read_all() == FRAMED[:20]
        assert client.end in ("fin", "reset")
    assert sidecar.wait(5) == 0


def test_a_second_signal_ends_it_now(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster(), env={"MCA_DRAIN_GRACE": "60"})
    with RawClient(sidecar) as client:
        client.send(render_request(sidecar, "GET", f"{TARGET}?watch=1"))
        client.read_head()
        sidecar.signal(signal.SIGTERM)
        sidecar.wait_for_event("draining")
        time.sleep(0.3)
        assert sidecar.exit_code is None
        sidecar.signal(signal.SIGINT)
        assert sidecar.wait(3) == 0


def test_nothing_is_lost_from_the_audit_at_the_end(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(upstream.cluster())
    with RawClient(sidecar) as client:
        for _ in range(200):
            assert client.ask(render_request(sidecar)).status == 200
    sidecar.signal(signal.SIGTERM)
    assert sidecar.wait(5) == 0
    idents = {request.values(b"Audit-ID")[0].decode() for request in upstream.requests}
    assert len(idents) == 200
    assert {line["id"] for line in sidecar.audit_lines()} == idents


def test_a_signal_during_the_start_ends_it(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """At any moment of it: no traceback, and no process of ours stays behind."""
    for delay_ms in (0, 30, 60, 100, 150):
        sidecar = make_sidecar(upstream.cluster(), spawn=True, mint=True)
        time.sleep(delay_ms / 1000)
        sidecar.signal(signal.SIGTERM)
        try:
            code = sidecar.wait(5)
        finally:
            sidecar.kill()
        assert code in (0, -signal.SIGTERM, 128 + signal.SIGTERM), sidecar.output()
        assert "Traceback" not in sidecar.stderr()
