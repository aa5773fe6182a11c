"""Attacks 21, 25 and 26: answers that come early, switch protocols unasked, or lead elsewhere."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.attacks.conftest import assert_status
from tests.raw_client import RawClient, render_request
from tests.scripted_server import OK, Connection, Script, ScriptedServer, answer_all
from tests.sidecar_process import SidecarProcess

TARGET = "/api/v1/namespaces/team-a/configmaps"
EXEC = "/api/v1/namespaces/team-a/pods/a/exec?command=id"
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Protocol: v5.channel.k8s.io",
)
SPDY = ("Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Pair:
    """A sidecar before a server whose script a test sets."""

    def __init__(self, sidecar: SidecarProcess, upstream: ScriptedServer) -> None:
        self.sidecar = sidecar
        self.upstream = upstream

    def play(self, script: Script) -> None:
        """What the next connections meet; those of earlier tests are gone."""
        self.upstream.break_connections()
        self.upstream.script = script

    def render(self, *arguments: str, body: bytes = b"") -> bytes:
        return render_request(self.sidecar, *arguments, body=body)

    def connect(self) -> RawClient:
        return RawClient(self.sidecar)


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[Pair]:
    with ScriptedServer() as upstream, SidecarProcess(upstream.cluster()) as sidecar:
        yield Pair(sidecar, upstream)
        assert sidecar.stderr() == ""


@pytest.fixture
def pair(shared_pair: Pair) -> Iterator[Pair]:
    """The connections of one test are not the next one's."""
    yield shared_pair
    shared_pair.play(answer_all())
    with shared_pair.connect() as client:
        assert client.ask(shared_pair.render()).status == 200, "the sidecar no longer works"


def once(answer: bytes, then: Callable[[Connection], None] | None = None) -> Script:
    """Read one request, answer, and stay open until the sidecar is done."""

    def run(connection: Connection) -> None:
        if connection.read_request() is None:
            return
        connection.send(answer)
        if then is not None:
            then(connection)
        while connection.read_some():
            pass

    return run


# 21: Expect, and answers before the request is whole


def test_21_expect_is_answered_by_the_cluster(pair: Pair) -> None:
    asked = threading.Event()

    def script(connection: Connection) -> None:
        head = connection.read_head()
        assert head is not None
        assert head.values(b"Expect") == [b"100-continue"]
        asked.set()
        connection.send(CONTINUE)
        assert connection.read_exactly(2) == b"{}"
        connection.send(OK)
        connection.read_request()

    pair.play(script)
    with pair.connect() as client:
        client.send(pair.render("POST", TARGET, "Expect: 100-continue", "Content-Length: 2"))
        assert asked.wait(5)
        assert client.read_response().status == 100
        client.send(b"{}")
        assert client.read_response().status == 200


def test_21_an_early_refusal_instead_of_100(pair: Pair) -> None:
    """The body never comes, so neither side can be used again."""
    pair.play(refuse_early)
    connections = pair.upstream.connections
    with pair.connect() as client:
        client.send(pair.render("POST", TARGET, "Expect: 100-continue", "Content-Length: 2"))
        answer = client.read_response()
        assert answer.status == 403
        assert answer.header("Connection") == "close"
        client.wait_closed()
    pair.upstream.script = answer_all()
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 200
    assert pair.upstream.connections == connections + 2


def refuse_early(connection: Connection) -> None:
    if connection.read_head() is not None:
        connection.send(FORBIDDEN)
        connection.read_request()


def test_21_an_early_answer_while_the_body_is_under_way(pair: Pair) -> None:
    pair.play(refuse_early)
    with pair.connect() as client:
        client.send(pair.render("POST", TARGET, "Content-Length: 100000", body=b"x" * 50_000))
        answer = client.read_response()
        assert answer.status == 403
        assert answer.header("Connection") == "close"
        # What was meant as the rest of the body is not taken for a request.
        client.send(pair.render("GET", "/api/v1/smuggled"))
        client.wait_closed()
    assert all(b"smuggled" not in request.line for request in pair.upstream.requests)


def test_21_interim_answers_nobody_asked_for_are_swallowed(pair: Pair) -> None:
    interim = CONTINUE + b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    pair.play(once(interim + OK))
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 200


def test_21_a_flood_of_interim_answers(pair: Pair) -> None:
    """Hundreds in one TLS record: no call stack of ours grows with them."""
    pair.play(once(CONTINUE * 600 + OK))
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 200


# 25: upgrades that fail


@pytest.mark.parametrize("lines", [WEBSOCKET, SPDY], ids=["websocket", "spdy"])
def test_25_after_a_failed_upgrade_both_sides_close(pair: Pair, lines: tuple[str, ...]) -> None:
    """CVE-2018-1002105: what follows must not reach a backend that took the upgrade half-way."""
    arrived = []

    def then(connection: Connection) -> None:
        while data := connection.read_some():
            arrived.append(data)

    pair.play(once(FORBIDDEN, then))
    before = len(pair.upstream.requests)
    connections = pair.upstream.connections
    with pair.connect() as client:
        answer = client.ask(pair.render("GET", EXEC, *lines))
        assert answer.status == 403
        assert answer.header("Connection") == "close"
        client.send(pair.render("GET", "/api/v1/smuggled"))
        client.wait_closed()
    pair.upstream.script = answer_all()
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 200
    assert pair.upstream.connections == connections + 2
    assert [request.target for request in pair.upstream.requests[before:]] == [
        EXEC.encode(),
        pair.render().split(b" ")[1],
    ]
    assert arrived == []


def test_25_bytes_sent_before_the_101_wait_for_it(pair: Pair) -> None:
    may_answer = threading.Event()
    early = []

    def script(connection: Connection) -> None:
        assert connection.read_request() is not None
        connection.sock.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            early.append(connection.read_some())
        connection.sock.settimeout(10)
        may_answer.set()
        connection.send(SWITCH)
        assert connection.read_exactly(5) == b"early"
        connection.send(b"bye")
        connection.half_close()

    pair.play(script)
    with pair.connect() as client:
        client.send(pair.render("GET", EXEC, *WEBSOCKET, body=b"early"))
        assert client.read_head().status == 101
        assert client.read_all() == b"bye"
    assert may_answer.is_set()
    assert early == []


def test_25_bytes_sent_before_a_refusal_go_nowhere(pair: Pair) -> None:
    arrived = []

    def then(connection: Connection) -> None:
        while data := connection.read_some():
            arrived.append(data)

    pair.play(once(FORBIDDEN, then))
    with pair.connect() as client:
        smuggled = pair.render("GET", "/api/v1/smuggled")
        answer = client.ask(pair.render("GET", EXEC, *WEBSOCKET, body=smuggled))
        assert answer.status == 403
        client.wait_closed()
    assert arrived == []


# 26: switches and redirects


@pytest.mark.parametrize(
    "answer",
    [
        SWITCH,
        SWITCH.replace(b"websocket", b"h2c"),
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_26_an_unsolicited_101(pair: Pair, answer: bytes) -> None:
    pair.play(once(answer))
    with pair.connect() as client:
        assert_status(client.ask(pair.render()), 502, "upstream/malformed")


@pytest.mark.parametrize(
    "answer",
    [
        SWITCH.replace(b"websocket", b"SPDY/3.1"),
        SWITCH.replace(b"websocket", b"h2c"),
        SWITCH.replace(b"Connection: Upgrade\r\n", b""),
        SWITCH.replace(b"Upgrade: websocket\r\n", b""),
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_26_a_101_to_another_protocol_than_asked(pair: Pair, answer: bytes) -> None:
    pair.play(once(answer))
    with pair.connect() as client:
        assert_status(client.ask(pair.render("GET", EXEC, *WEBSOCKET)), 502, "upstream/malformed")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_26_redirects_are_never_followed(pair: Pair, status: int, method: str) -> None:
    with ScriptedServer() as elsewhere:
        location = elsewhere.url.encode()
        answer = b"HTTP/1.1 %d Moved\r\nLocation: %s/x\r\nContent-Length: 0\r\n\r\n"
        pair.play(once(answer % (status, location)))
        with pair.connect() as client:
            got = client.ask(pair.render(method, TARGET, "Content-Length: 0"))
            assert_status(got, 502, "upstream/malformed")
            assert got.header("Location") is None
            assert location not in got.body
        assert elsewhere.connections == 0


def test_26_304_is_no_redirect(pair: Pair) -> None:
    """kubectl asks with If-Modified-Since."""
    pair.play(once(b'HTTP/1.1 304 Not Modified\r\nEtag: "a"\r\n\r\n'))
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 304
        assert client.is_open()


# Answers that are framed in two ways, or not at all


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"Content-Length: 15", b"Content-Length: 15\r\nTransfer-Encoding: chunked"),
        OK.replace(b"Content-Length: 15", b"Content-Length: 15\r\nContent-Length: 14"),
        OK.replace(b"Content-Length: 15", b"Content-Length: +15"),
        OK.replace(b"Content-Length: 15", b"Content-Length: 15, 15"),
        OK.replace(b"Content-Length: 15", b"Transfer-Encoding: gzip, chunked"),
        OK.replace(b"Content-Length: 15", b"Transfer-Encoding: identity"),
        OK.replace(b"Content-Length: 15", b"Content-Length : 15"),
        OK.replace(b"Content-Length: 15", b"X: 1\nContent-Length: 15"),
        OK.replace(b"Content-Length: 15", b"X: 1\r\n y\r\nContent-Length: 15"),
        OK.replace(b"Content-Length: 15", b"X: a\x00\r\nContent-Length: 15"),
        OK.replace(b"Content-Length: 15", b"Connection: Content-Length\r\nContent-Length: 15"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK.replace(b"HTTP/1.1", b"HTTP/2.0"),
        OK.replace(b"200 OK", b"2000 OK"),
        OK.replace(b"200 OK", b"099 OK"),
        OK.replace(b"200 OK", b"OK"),
        b"\r\n" + OK,
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
def test_26_answers_that_cannot_be_trusted(pair: Pair, answer: bytes) -> None:
    pair.play(once(answer))
    with pair.connect() as client:
        assert_status(client.ask(pair.render()), 502, "upstream/malformed")
        assert client.is_open(), "the client's own connection is sound"


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nbad\r\n\r\n",
        b"5\r\nhello\r\nx",
    ],
)
def test_26_chunks_that_cannot_be_trusted_cut_the_answer(pair: Pair, chunks: bytes) -> None:
    """The client must see that it broke off: no last chunk, no orderly end."""
    head = OK.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    pair.play(once(head + b"3\r\nok \r\n" + chunks))
    connections = pair.upstream.connections
    with pair.connect() as client:
        client.send(pair.render())
        assert b"\r\n0\r\n" not in client.read_all()
        assert client.end in ("fin", "reset")
    pair.upstream.script = answer_all()
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 200
    assert pair.upstream.connections == connections + 2


@pytest.mark.parametrize("surplus", [OK, b"x", b"HTTP/1.1 200 OK\r\n"])
def test_26_bytes_behind_an_answer_are_nobodys(pair: Pair, surplus: bytes) -> None:
    """Else they would answer the next caller's question."""
    pair.play(once(OK + surplus))
    connections = pair.upstream.connections
    with pair.connect() as client:
        assert client.ask(pair.render()).body == b'{"kind":"Fine"}'
        pair.upstream.script = answer_all(OK.replace(b"Fine", b"Next"))
        assert client.ask(pair.render()).body == b'{"kind":"Next"}'
    assert pair.upstream.connections == connections + 2


def test_26_bytes_that_come_while_nobody_asks(pair: Pair) -> None:
    sent = threading.Event()

    def then(connection: Connection) -> None:
        connection.send(OK)
        sent.set()

    pair.play(once(OK, then))
    connections = pair.upstream.connections
    with pair.connect() as client:
        assert client.ask(pair.render()).status == 200
        assert sent.wait(5)
        assert client.is_open(0.1)
        pair.upstream.script = answer_all(OK.replace(b"Fine", b"Next"))
        assert client.ask(pair.render()).body == b'{"kind":"Next"}'
    assert pair.upstream.connections == connections + 2


def test_26_a_members_claims_to_be_us_are_stripped(pair: Pair) -> None:
    answer = OK.replace(b"Content-Type", b"Mca-Decision: forged\r\nContent-Type")
    pair.play(once(answer.replace(b"Audit-Id: none", b"Audit-Id: forged")))
    with pair.connect() as client:
        got = client.ask(pair.render())
        assert got.status == 200
        assert got.header("Mca-Decision") is None


def test_26_trailers_of_an_answer_are_dropped(pair: Pair) -> None:
    head = OK.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    pair.play(once(head + b"2\r\n{}\r\n0\r\nX-Late: 1\r\nSet-Cookie: a\r\n\r\n"))
    with pair.connect() as client:
        client.send(pair.render())
        client.read_head()
        assert client.read_until(b"0\r\n\r\n") == b"2\r\n{}\r\n0\r\n\r\n"
        assert client.is_open()
