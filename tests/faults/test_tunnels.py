"""Faults: tunnels (exec, attach, port-forward) whose ends close one after the other, or break."""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.raw_client import RawClient, Response, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import SidecarProcess

EXEC = "/api/v1/namespaces/team-a/pods/a/exec?command=cat"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
PROTOCOLS = {
    "websocket": (
        "GET",
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: v5.channel.k8s.io"),
    ),
    "SPDY/3.1": ("POST", ("Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0")),
}
# A WebSocket frame of channel 3 (v5.channel.k8s.io), with the exit status of a command.
STATUS = b'\x82\x1a\x03{"status":"Failure","x":7}'


class Place:
    """A sidecar before a server that switches protocols, then does what a test says."""

    def __init__(self, sidecar: SidecarProcess, upstream: ScriptedServer) -> None:
        self.sidecar = sidecar
        self.upstream = upstream

    def open(self, then: Callable[[Connection], None], protocol: str = "websocket") -> RawClient:
        def script(connection: Connection) -> None:
            request = connection.read_request()
            if request is not None:
                connection.send(SWITCH % request.values(b"Upgrade")[0])
                then(connection)

        self.upstream.script = script
        client = RawClient(self.sidecar)
        method, lines = PROTOCOLS[protocol]
        client.send(render_request(self.sidecar, method, EXEC, *lines))
        self.head: Response = client.read_head()
        assert self.head.status == 101
        return client


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    names = ("BODY_TIMEOUT", "RESPONSE_TIMEOUT", "HEAD_TIMEOUT", "IDLE_TIMEOUT")
    deadlines = {f"MCA_{name}": "1" for name in names}
    with ScriptedServer() as upstream, SidecarProcess(upstream.cluster(), env=deadlines) as sidecar:
        yield Place(sidecar, upstream)
        assert sidecar.stderr() == ""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_switch_is_passed_on(place: Place, protocol: str) -> None:
    with place.open(Connection.half_close, protocol) as client:
        assert place.head.header("Connection") == "Upgrade"
        assert (place.head.header("Upgrade") or "").lower() == protocol.lower()
        assert client.read_all() == b""
    arrived = place.upstream.requests[-1]
    assert arrived.values(b"Connection") == [b"Upgrade"]
    assert arrived.values(b"Upgrade") == [protocol.encode()]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_client_ends_first(place: Place, protocol: str) -> None:
    """`cat | kubectl exec -i`: what comes after its end still reaches it, the exit status too."""
    got = []

    def then(connection: Connection) -> None:
        data = b""
        while piece := connection.read_some():
            data += piece
        got.append(data)
        time.sleep(0.2)
        connection.send(b"late output" + STATUS)
        connection.half_close()

    with place.open(then, protocol) as client:
        client.send(b"input")
        client.half_close()
        assert client.read_all() == b"late output" + STATUS
        assert client.end == "close_notify"
    assert got == [b"input"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_cluster_ends_first(place: Place, protocol: str) -> None:
    got = []
    done = threading.Event()

    def then(connection: Connection) -> None:
        connection.send(b"output" + STATUS)
        connection.half_close()
        data = b""
        while piece := connection.read_some():
            data += piece
        got.append(data)
        done.set()

    with place.open(then, protocol) as client:
        assert client.read_all() == b"output" + STATUS
        assert client.end == "close_notify"
        client.send(b"late input")
        client.half_close()
        assert done.wait(5)
    assert got == [b"late input"]


@pytest.mark.parametrize("seed", range(3))
def test_bytes_pass_both_ways_unchanged(place: Place, seed: int) -> None:
    """8 MB each way at once, in pieces of any size."""
    rng = random.Random(seed)
    there = rng.randbytes(8 << 20)
    back = rng.randbytes(8 << 20)
    got = hashlib.sha256()
    done = threading.Event()

    def send_all(send: Callable[[bytes], None], data: bytes, rng: random.Random) -> None:
        at = 0
        while at < len(data):
            size = rng.choice((1, 100, 4000, 16384, 16385, 200_000))
            send(data[at : at + size])
            at += size

    def then(connection: Connection) -> None:
        writer = threading.Thread(
            target=send_all, args=(connection.send, back, random.Random(seed + 1))
        )
        writer.start()
        while piece := connection.read_some():
            got.update(piece)
        writer.join()
        connection.half_close()
        done.set()

    with place.open(then) as client:
        answered = hashlib.sha256()
        size = 0

        def read() -> None:
            nonlocal size
            while piece := client.read_some():
                answered.update(piece)
                size += len(piece)

        reader = threading.Thread(target=read)
        reader.start()
        send_all(client.send, there, random.Random(seed + 2))
        client.half_close()
        reader.join(20)
        assert size == len(back)
        assert answered.digest() == hashlib.sha256(back).digest()
        assert done.wait(5)
    assert got.digest() == hashlib.sha256(there).digest()


@pytest.mark.parametrize("end", [Connection.reset, Connection.fin], ids=["rst", "fin"])
def test_a_tunnel_that_breaks_is_no_clean_end(
    place: Place, end: Callable[[Connection], None]
) -> None:
    def then(connection: Connection) -> None:
        connection.send(b"half a fra")
        time.sleep(0.1)
        end(connection)

    with place.open(then) as client:
        assert client.read_all() == b"half a fra"
        if end is Connection.reset:
            assert client.end in ("fin", "reset")


def test_the_cluster_sees_that_the_client_has_gone(place: Place) -> None:
    ended = threading.Event()

    def then(connection: Connection) -> None:
        while connection.read_some():
            pass
        ended.set()

    with place.open(then) as client:
        client.send(b"x")
        client.reset()
    assert ended.wait(5)


def test_a_quiet_tunnel_stays(place: Place) -> None:
    """No deadline after the 101: all of them go by, twice."""

    def then(connection: Connection) -> None:
        assert connection.read_exactly(4) == b"ping"
        connection.send(b"pong")
        connection.half_close()

    with place.open(then) as client:
        time.sleep(2.6)
        client.send(b"ping")
        assert client.read_all() == b"pong"


def test_a_tunnel_is_audited_at_its_end(place: Place) -> None:
    def then(connection: Connection) -> None:
        connection.read_exactly(5)
        connection.send(b"0123456789")
        connection.half_close()
        connection.read_some()

    with place.open(then) as client:
        client.send(b"input")
        client.read_all()
        client.half_close()
    (ident,) = place.upstream.requests[-1].values(b"Audit-ID")
    line = place.sidecar.wait_for_audit([ident.decode()])[ident.decode()]
    assert (line["code"], line["bytesIn"], line["bytesOut"]) == (101, 5, 10)
    assert (line["verb"], line["subresource"], line["name"]) == ("get", "exec", "a")
    assert "cat" not in str(line), "a command is nobody's business"
