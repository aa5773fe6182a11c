"""Faults: the cluster's side breaks off, by RST, by FIN or in the middle of an event."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.attacks.conftest import assert_status
from tests.raw_client import RawClient, render_request
from tests.scripted_server import OK, Connection, ScriptedServer, answer_all
from tests.sidecar_process import SidecarProcess

TARGET = "/api/v1/namespaces/team-a/configmaps"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EVENT = b'{"type":"ADDED","object":{}}\n'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Place:
    """A sidecar before a server whose script a test sets."""

    def __init__(self, sidecar: SidecarProcess, upstream: ScriptedServer) -> None:
        self.sidecar = sidecar
        self.upstream = upstream

    def render(self, method: str = "GET", target: str = TARGET, *lines: str) -> bytes:
        return render_request(self.sidecar, method, target, *lines)


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with ScriptedServer() as upstream, SidecarProcess(upstream.cluster()) as sidecar:
        yield Place(sidecar, upstream)
        assert sidecar.stderr() == ""


@pytest.fixture
def place(shared: Place) -> Iterator[Place]:
    shared.upstream.break_connections()
    yield shared
    shared.upstream.break_connections()
    shared.upstream.script = answer_all()
    with RawClient(shared.sidecar) as client:
        assert client.ask(shared.render()).status == 200, "the sidecar no longer works"


ENDS = {
    "rst": Connection.reset,
    "fin": Connection.fin,
    "close-notify": Connection.half_close,
}
PARTIAL = {
    "length": HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 50,
    "length-no-body": HEAD + b"Content-Length: 100\r\n\r\n",
    "chunked-in-chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 50,
    "chunked-between-chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 50),
    "chunked-in-size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 50) + b"6",
    "chunked-last-begun": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"x") + b"0\r\n",
    "chunked-in-trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"x") + b"0\r\nX: 1",
}  # fmt: skip


def play(place: Place, answer: bytes, end: Callable[[Connection], None]) -> None:
    def script(connection: Connection) -> None:
        if connection.read_request() is not None:
            connection.send(answer)
            time.sleep(0.05)  # so that what was sent is not overtaken by a reset
            end(connection)

    place.upstream.script = script


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("answer", PARTIAL.values(), ids=PARTIAL.keys())
def test_a_truncated_body_is_never_a_clean_end(
    place: Place, answer: bytes, end: Callable[[Connection], None]
) -> None:
    """What came is passed on; then the connection breaks, without a last chunk or close_notify."""
    play(place, answer, end)
    with RawClient(place.sidecar) as client:
        client.send(place.render())
        head = client.read_head()
        assert head.status == 200
        rest = client.read_all()
        assert answer.partition(b"\r\n\r\n")[2].startswith(rest[:50])
        assert not rest.endswith(b"0\r\n\r\n")
        assert client.end in ("fin", "reset")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_body_that_ends_with_its_connection(
    place: Place, end: Callable[[Connection], None]
) -> None:
    """Only an orderly end is one: TLS tells a cut from it."""
    play(place, HEAD + b"\r\n" + b"x" * 50, end)
    with RawClient(place.sidecar) as client:
        client.send(place.render())
        head = client.read_head()
        assert head.header("Connection") == "close"
        assert client.read_all() == b"x" * 50
        if end is Connection.half_close:
            assert client.end == "close_notify"
        else:
            assert client.end in ("fin", "reset")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_watch_that_breaks_inside_an_event(
    place: Place, end: Callable[[Connection], None]
) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    play(place, head + chunk(EVENT) + chunk(EVENT[:10]), end)
    with RawClient(place.sidecar) as client:
        client.send(place.render("GET", f"{TARGET}?watch=1"))
        client.read_head()
        rest = client.read_all()
        assert rest == chunk(EVENT) + chunk(EVENT[:10])
        assert client.end in ("fin", "reset")


def test_a_connection_that_broke_is_not_used_again(place: Place) -> None:
    play(place, PARTIAL["length"], Connection.fin)
    connections = place.upstream.connections
    with RawClient(place.sidecar) as client:
        client.send(place.render())
        client.read_all()
    place.upstream.script = answer_all()
    for _ in range(2):
        with RawClient(place.sidecar) as client:
            assert client.ask(place.render()).status == 200
    assert place.upstream.connections == connections + 2


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["none", "half-a-head"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_answer_on_a_new_connection_is_502(
    place: Place, method: str, begun: bytes, end: Callable[[Connection], None]
) -> None:
    """It may have been carried out: told once, sent once, and no Retry-After."""
    play(place, begun, end)
    before = len(place.upstream.requests)
    with RawClient(place.sidecar) as client:
        answer = client.ask(place.render(method, TARGET, "Content-Length: 0"))
        assert_status(answer, 502, "upstream/broken")
        assert client.is_open()
    assert len(place.upstream.requests) == before + 1


def test_a_read_is_sent_again_when_a_kept_connection_broke(place: Place) -> None:
    """The server closed it while the call was on its way: client-go would do the same."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        if connection.read_request() is not None:
            connection.reset()

    place.upstream.script = script
    before = len(place.upstream.requests)
    with RawClient(place.sidecar) as client:
        assert client.ask(place.render()).status == 200
        # The next goes on the kept connection, which is reset; then on a new one.
        assert client.ask(place.render("GET", "/api/v1/again")).status == 200
    targets = [request.target for request in place.upstream.requests[before:]]
    assert targets == [TARGET.encode(), b"/api/v1/again", b"/api/v1/again"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_never_sent_twice(place: Place, method: str) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        if connection.read_request() is not None:
            connection.reset()

    place.upstream.script = script
    before = len(place.upstream.requests)
    with RawClient(place.sidecar) as client:
        assert client.ask(place.render()).status == 200
        answer = client.ask(place.render(method, TARGET, "Content-Length: 0"))
        assert_status(answer, 502, "upstream/broken")
    methods = [request.method for request in place.upstream.requests[before:]]
    assert methods == [b"GET", method.encode()]


def test_an_exec_is_never_sent_twice(place: Place) -> None:
    """Over a WebSocket it comes as a GET, and is none."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        if connection.read_request() is not None:
            connection.reset()

    place.upstream.script = script
    before = len(place.upstream.requests)
    path = "/api/v1/namespaces/team-a/pods/web/exec?command=rm"
    upgrade = ("Connection: Upgrade", "Upgrade: websocket")
    with RawClient(place.sidecar) as client:
        assert client.ask(place.render()).status == 200
        assert_status(client.ask(place.render("GET", path, *upgrade)), 502, "upstream/broken")
    targets = [request.target for request in place.upstream.requests[before:]]
    assert targets == [TARGET.encode(), path.encode()]


def test_a_write_does_not_go_on_a_connection_that_was_closed_meanwhile(place: Place) -> None:
    """Nothing is lost when the server closes what is idle, however that meets the call."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        time.sleep(0.1)
        connection.half_close()

    place.upstream.script = script
    with RawClient(place.sidecar) as client:
        for _ in range(5):
            assert client.ask(place.render("POST", TARGET, "Content-Length: 0")).status == 200
            time.sleep(0.2)


def test_an_answer_that_never_comes(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.read_some()

    with ScriptedServer(script) as upstream:
        sidecar = make_sidecar(upstream.cluster(), env={"MCA_RESPONSE_TIMEOUT": "1"})
        for method in ("GET", "POST"):
            with RawClient(sidecar) as client:
                started = time.monotonic()
                answer = client.ask(render_request(sidecar, method, TARGET, "Content-Length: 0"))
                assert_status(answer, 504, "upstream/timeout")
                assert 0.9 < time.monotonic() - started < 3
        assert len(upstream.requests) == 2


def test_a_body_that_stalls(make_sidecar: Callable[..., SidecarProcess]) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(PARTIAL["length"])
        connection.read_some()

    with ScriptedServer(script) as upstream:
        sidecar = make_sidecar(upstream.cluster(), env={"MCA_BODY_TIMEOUT": "1"})
        with RawClient(sidecar) as client:
            client.send(render_request(sidecar))
            client.read_head()
            assert len(client.read_all()) == 50
            assert client.end in ("fin", "reset")


def test_a_quiet_watch_is_no_stalled_body(make_sidecar: Callable[..., SidecarProcess]) -> None:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(EVENT))
        time.sleep(2.3)
        connection.send(chunk(EVENT) + b"0\r\n\r\n")
        connection.read_request()

    deadlines = {"MCA_BODY_TIMEOUT": "1", "MCA_RESPONSE_TIMEOUT": "1", "MCA_HEAD_TIMEOUT": "1"}
    with ScriptedServer(script) as upstream:
        sidecar = make_sidecar(upstream.cluster(), env=deadlines)
        with RawClient(sidecar) as client:
            answer = client.ask(render_request(sidecar, "GET", f"{TARGET}?watch=1"))
            assert answer.body == EVENT * 2


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("https://127.0.0.1:1", "connection refused"),
        ("https://no-such-host.invalid:443", "name"),
    ],
)
def test_a_cluster_that_cannot_be_reached(
    make_sidecar: Callable[..., SidecarProcess], server: str, reason: str
) -> None:
    """503 without Retry-After, so that people see why; ready all the same."""
    with ScriptedServer() as other:
        cluster = other.cluster()
        sidecar = make_sidecar(
            type(cluster)(server, cluster.ca_pem, token="t"),
            env={"MCA_CONNECT_TIMEOUT": "1"},
        )
    for method in ("GET", "POST"):
        answer = sidecar.request(method, TARGET)
        assert answer.status == 503
        assert answer.headers["Mca-Decision"] == "upstream/unreachable"
        assert answer.headers["Retry-After"] is None
        assert reason in answer.json()["message"].lower()
        assert "nothing was sent" in answer.json()["message"]
    assert sidecar.ask_admin("/readyz").status == 200


def test_a_cluster_that_takes_no_connections(make_sidecar: Callable[..., SidecarProcess]) -> None:
    """Packets that vanish (a documentation address here) meet the connect timeout."""
    with ScriptedServer() as other:
        cluster = type(other.cluster())("https://198.51.100.9:443", other.authority.pem, token="t")
        sidecar = make_sidecar(cluster, env={"MCA_CONNECT_TIMEOUT": "0.5"})
    started = time.monotonic()
    answer = sidecar.request("GET", TARGET)
    assert answer.status == 503
    assert time.monotonic() - started < 3
