"""One TLS connection over loopback: the peer is OpenSSL on a blocking socket (tests.tls_pipe)."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import TypeVar

import pytest

from sidecar import stream as stream_module
from sidecar.reactor import Reactor
from sidecar.stream import NEVER, RECORD, ReadSize, TlsStream, describe
from tests.controlplane.certificates import Authority
from tests.tls_pipe import TlsPipe

T = TypeVar("T")
MB = 1 << 20


class Recorder(TlsStream):
    """Takes note of all that it is told."""

    def __init__(
        self, reactor: Reactor, sock: socket.socket, context: ssl.SSLContext, *, server: bool
    ) -> None:
        name = None if server else "127.0.0.1"
        super().__init__(reactor, sock, context, server_side=server, server_hostname=name)
        self.told: list[str] = []
        self.heard = b""
        self.sizes: list[int] = []
        self.sink: Recorder | None = None
        self.greedy = True
        self.unseen = 0
        self.passed: list[int] = []

    def on_up(self) -> None:
        self.told.append("up")

    def on_data(self, data: bytes) -> None:
        self.heard += data
        self.sizes.append(len(data))
        if not self.greedy:
            self.pause_reading()
        if self.sink is not None:
            self.sink.queue(data)
            self.to_flush = self.sink

    def passage(self) -> tuple[TlsStream | None, int]:
        if self.sink is None or not self.unseen:
            return None, 0
        self.to_flush = self.sink
        return self.sink, self.unseen

    def on_passed(self, size: int) -> None:
        self.passed.append(size)
        self.unseen -= size

    def on_eof(self) -> None:
        self.told.append("close_notify" if self.clean_eof else "fin")

    def on_drain(self) -> None:
        self.told.append("drain")

    def on_hangup(self) -> None:
        self.told.append("hangup")

    def on_lost(self, reason: str) -> None:
        self.told.append(reason)


class Contexts:
    """A server's and a client's that trusts it."""

    def __init__(self, folder: Path, version: ssl.TLSVersion) -> None:
        authority = Authority(folder, "stream-ca")
        pair = authority.issue_server("stream", ("127.0.0.1",))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(pair.certificate, pair.key)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.load_verify_locations(cadata=authority.pem)
        for context in (self.server, self.client):
            context.minimum_version = context.maximum_version = version


@pytest.fixture(scope="module", params=["TLSv1_2", "TLSv1_3"])
def contexts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(tmp_path_factory.mktemp("tls"), ssl.TLSVersion[request.param])


class Scene:
    """A reactor, and connections to it that end with the test."""

    def __init__(self, contexts: Contexts) -> None:
        self.contexts = contexts
        self.reactor = Reactor()
        self._ends = contextlib.ExitStack()

    def open(self, *, server: bool = True) -> tuple[Recorder, socket.socket]:
        """Our end of a new connection, and the peer's socket, before any TLS."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname(), timeout=5)
            ours, _ = listener.accept()
        ours.setblocking(False)
        context = self.contexts.server if server else self.contexts.client
        stream = Recorder(self.reactor, ours, context, server=server)
        self._ends.enter_context(theirs)
        self._ends.callback(stream.abort)
        stream.resume_reading()
        return stream, theirs

    def connect(self, *, server: bool = True) -> tuple[Recorder, TlsPipe]:
        """Both ends of a connection whose handshake is done."""
        stream, theirs = self.open(server=server)
        context = self.contexts.client if server else self.contexts.server
        name = "127.0.0.1" if server else None
        pipe = TlsPipe(theirs, context, server_side=not server, server_hostname=name)
        if not server:
            assert not stream.handshake()
        self.aside(pipe.handshake)
        self.until(lambda: stream.up)
        assert stream.told == ["up"]
        return stream, pipe

    def aside(self, work: Callable[[], T]) -> T:
        """What the peer does, in a thread, while our end goes on."""
        return self.reactor.loop.run_until_complete(asyncio.to_thread(work))

    def until(self, true: Callable[[], bool]) -> None:
        end = monotonic() + 5
        while not true():
            assert monotonic() < end, "nothing happens"
            self.turn(0.001)

    def turn(self, seconds: float = 0.02) -> None:
        self.reactor.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        self._ends.close()
        loop = self.reactor.loop
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def scene(contexts: Contexts) -> Iterator[Scene]:
    scene = Scene(contexts)
    yield scene
    scene.close()


# The handshake


@pytest.mark.parametrize("server", [True, False])
def test_handshake_and_a_word_each_way(scene: Scene, server: bool) -> None:
    stream, pipe = scene.connect(server=server)
    stream.send(b"ours")
    assert pipe.read_some() == b"ours"
    pipe.send(b"theirs")
    scene.until(lambda: stream.heard == b"theirs")


def test_a_peer_that_nobody_vouches_for_is_told_so(scene: Scene, tmp_path: Path) -> None:
    stranger = Contexts(tmp_path, scene.contexts.server.maximum_version)
    stream, theirs = scene.open(server=False)
    pipe = TlsPipe(theirs, stranger.server, server_side=True)
    stream.handshake()
    with contextlib.suppress(ssl.SSLError):  # TLS 1.3: the server is done before it is judged
        scene.aside(pipe.handshake)
        scene.until(lambda: stream.closed)
        with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
            pipe.read_some()
    scene.until(lambda: stream.closed)
    (reason,) = stream.told
    assert reason.startswith("certificate verification failed: ")


def test_what_is_no_tls_is_lost(scene: Scene) -> None:
    stream, theirs = scene.open()
    theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    scene.until(lambda: stream.closed)
    assert stream.told == ["TLS: http request"]


@pytest.mark.parametrize("end", ["fin", "reset"])
def test_a_peer_that_goes_before_the_handshake(scene: Scene, end: str) -> None:
    stream, theirs = scene.open()
    if end == "reset":
        TlsPipe(theirs, scene.contexts.client, server_hostname="127.0.0.1").reset()
    else:
        theirs.close()
    scene.until(lambda: bool(stream.told))
    assert stream.told == (["fin"] if end == "fin" else ["connection reset by peer"])
    assert not stream.up


# Bytes

SIZES = [1, RECORD - 1, RECORD, RECORD + 1, 8 * RECORD + 5, 3 * MB]


@pytest.mark.parametrize("size", SIZES)
def test_all_that_comes_is_heard_in_order(scene: Scene, size: int) -> None:
    stream, pipe = scene.connect()
    data = os.urandom(size)
    scene.aside(lambda: pipe.send(data))
    scene.until(lambda: len(stream.heard) >= size)
    assert stream.heard == data
    assert max(stream.sizes) <= RECORD


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("queued", [False, True])
def test_all_that_is_sent_arrives_in_order(scene: Scene, size: int, queued: bool) -> None:
    stream, pipe = scene.connect()
    data = os.urandom(size)
    if queued:
        stream.queue(data)
        scene.turn()
        assert not stream.unsent
        stream.flush()
    else:
        stream.send(data)
    stream.close()
    assert scene.aside(pipe.read_all) == data
    assert pipe.end == "close_notify"


def fill(stream: Recorder, data: bytes) -> bytes:
    """Send until the kernel takes no more."""
    sent = b""
    while not stream.blocked:
        stream.send(data)
        sent += data
    return sent


@pytest.mark.parametrize("size", [5000, MB])
def test_back_pressure(scene: Scene, size: int) -> None:
    stream, pipe = scene.connect()
    sent = fill(stream, os.urandom(size))
    assert stream.unsent > 0
    for number in range(100):  # what comes now waits, each in its turn
        stream.send(b"%d," % number)
        sent += b"%d," % number
    scene.turn()
    assert stream.told == ["up"]
    received = scene.aside(lambda: read(pipe, len(sent)))
    assert received == sent
    scene.until(lambda: "drain" in stream.told)
    assert (stream.blocked, stream.unsent, stream.told) == (False, 0, ["up", "drain"])
    stream.send(b"more")
    assert pipe.read_some() == b"more"


def read(pipe: TlsPipe, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := pipe.read_some()):
        data += piece
    return data


def test_a_paused_stream_leaves_the_bytes_to_the_kernel(scene: Scene) -> None:
    stream, pipe = scene.connect()
    stream.pause_reading()
    pipe.send(b"word")
    scene.turn()
    assert stream.heard == b""
    stream.resume_reading()
    scene.until(lambda: stream.heard == b"word")


def test_what_one_hears_the_other_sends_after_the_event(scene: Scene) -> None:
    """Records that one read brought go out in one write; a peer that is blocked stops the read."""
    source, theirs = scene.connect()
    source.sink, there = scene.connect()
    data = os.urandom(5 * RECORD)
    scene.aside(lambda: theirs.send(data))
    scene.until(lambda: len(source.heard) == len(data))
    assert scene.aside(lambda: read(there, len(data))) == data
    sent = fill(source.sink, os.urandom(MB))
    theirs.send(b"word")
    scene.until(lambda: not source.reading)
    assert scene.aside(lambda: read(there, len(sent) + 4)) == sent + b"word"


@pytest.mark.parametrize("read_bytes", [4097, RECORD, RECORD + 22, RECORD + 24, 40_001, 8 * RECORD])
@pytest.mark.parametrize("limit", [0, RECORD - 1, RECORD, 100_000, 10 * MB])
def test_records_that_pass_unseen(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: int, read_bytes: int
) -> None:
    """Wherever a read cuts a record, its header too: nothing is lost, and nothing too much passes.

    A read that is too small for a record leaves none to pass whole.
    """
    monkeypatch.setattr(ReadSize, "bytes", read_bytes)
    source, theirs = scene.connect()
    source.sink, there = scene.connect()
    source.unseen = limit
    data = os.urandom(2 * MB)

    async def both() -> bytes:
        _, received = await asyncio.gather(
            asyncio.to_thread(theirs.send, data), asyncio.to_thread(read, there, len(data))
        )
        return received

    done = scene.reactor.loop.create_task(both())
    while not done.done():
        scene.turn(0.005)
        if not source.sink.blocked:
            source.resume_reading()
    assert done.result() == data
    assert sum(source.passed) + len(source.heard) == len(data)
    assert sum(source.passed) <= limit
    if read_bytes > 2 * RECORD:
        assert (sum(source.passed) > limit - RECORD) or limit > len(data)


def test_reads_become_small_when_much_is_held_for_slow_readers(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = ReadSize.bytes
    stream, pipe = scene.connect()
    sent = fill(stream, os.urandom(MB))
    assert ReadSize.held == stream.unsent > 0
    monkeypatch.setattr(stream_module, "_MAX_HELD", ReadSize.held)
    assert ReadSize.bytes == large
    other, _ = scene.connect()
    fill(other, os.urandom(MB))
    assert ReadSize.bytes == 2 * RECORD
    ReadSize.press(True)
    assert ReadSize.bytes == RECORD
    ReadSize.press(False)
    other.abort()
    assert scene.aside(lambda: read(pipe, len(sent))) == sent
    scene.until(lambda: not stream.blocked)
    assert (ReadSize.held, ReadSize.bytes) == (0, large)


# The end


def test_their_half_close(scene: Scene) -> None:
    stream, pipe = scene.connect()
    pipe.send(b"last")
    pipe.half_close()
    scene.until(lambda: len(stream.told) > 1)
    assert (stream.heard, stream.told) == (b"last", ["up", "close_notify"])
    stream.resume_reading()
    scene.turn()
    assert stream.told == ["up", "close_notify"], "an end is told of once"
    stream.send(b"still here")
    stream.close()
    assert pipe.read_all() == b"still here"


def test_a_fin_alone_is_no_clean_end(scene: Scene) -> None:
    stream, pipe = scene.connect()
    pipe.fin()
    scene.until(lambda: len(stream.told) > 1)
    assert stream.told == ["up", "fin"]


def test_our_half_close(scene: Scene) -> None:
    stream, pipe = scene.connect()
    stream.send(b"last")
    stream.send_eof()
    stream.send_eof()
    assert pipe.read_all() == b"last"
    assert pipe.end == "close_notify"
    assert pipe.sock.recv(1) == b""
    pipe.send(b"still here")
    scene.until(lambda: stream.heard == b"still here")
    assert not stream.closed


def test_our_half_close_waits_for_what_is_queued(scene: Scene) -> None:
    stream, pipe = scene.connect()
    sent = fill(stream, os.urandom(MB))
    stream.send_eof()
    assert scene.aside(pipe.read_all) == sent
    assert pipe.end == "close_notify"
    assert scene.aside(lambda: pipe.sock.recv(1)) == b"", "a FIN follows"
    pipe.send(b"still here")
    scene.until(lambda: stream.heard == b"still here")


def test_close_and_abort_can_be_told_apart(scene: Scene) -> None:
    """What was cut is never mistaken for an end."""
    for cut in (False, True):
        stream, pipe = scene.connect()
        stream.send(b"half")
        if cut:
            stream.abort()
        else:
            stream.close()
        assert stream.closed
        assert pipe.read_all() == b"half"
        assert pipe.end == ("fin" if cut else "close_notify")
        assert stream.told == ["up"]


def test_a_close_waits_for_what_is_queued_but_not_for_ever(scene: Scene) -> None:
    stream, pipe = scene.connect()
    sent = fill(stream, os.urandom(MB))
    stream.close()
    assert not stream.closed
    assert monotonic() < stream.deadline < monotonic() + 60
    assert scene.aside(pipe.read_all) == sent
    assert pipe.end == "close_notify"
    scene.until(lambda: stream.closed)
    assert stream.deadline == NEVER


def test_an_idle_connection_vanishes(scene: Scene) -> None:
    stream, pipe = scene.connect()
    stream.send(b"answer")
    assert pipe.read_some() == b"answer"
    scene.turn()
    stream.vanish()
    assert stream.closed
    assert pipe.read_some() == b""
    assert pipe.end == "reset"


def test_a_peer_that_has_spoken_is_heard(scene: Scene) -> None:
    stream, pipe = scene.connect()
    pipe.send(b"request")
    stream.vanish()
    scene.until(lambda: stream.heard == b"request")
    stream.close()
    assert pipe.read_all() == b""
    assert pipe.end == "close_notify"
    assert pipe.sock.recv(1) == b"", "and no reset"


def test_an_answer_under_way_does_not_vanish(scene: Scene) -> None:
    stream, pipe = scene.connect()
    sent = fill(stream, os.urandom(MB))
    stream.vanish()
    assert scene.aside(pipe.read_all) == sent
    assert pipe.end == "close_notify"


def test_what_is_discarded_is_read_and_not_heard(scene: Scene) -> None:
    """A close with bytes unread would be a reset, which can overtake the last answer."""
    stream, pipe = scene.connect()
    stream.pause_reading()
    scene.aside(lambda: pipe.send(b"body" * 1000))
    stream.send(b"answer")
    stream.discard()
    scene.aside(lambda: pipe.send(b"body" * MB))
    assert pipe.read_all() == b"answer"
    assert pipe.end == "close_notify"
    pipe.fin()
    scene.until(lambda: len(stream.told) > 1)
    assert stream._inbound.pending < MB
    assert (stream.heard, stream.told[:2]) == (b"", ["up", "fin"])


def test_a_reset_is_a_loss(scene: Scene) -> None:
    stream, pipe = scene.connect()
    pipe.reset()
    scene.until(lambda: stream.closed)
    assert stream.told == ["up", "connection reset by peer"]


@pytest.mark.parametrize("size", [1, 2 * RECORD])
def test_a_failed_write_is_told_of_afterwards(scene: Scene, size: int) -> None:
    """Whoever writes is in the middle of something: it must not be called back from there."""
    stream, pipe = scene.connect()
    stream.pause_reading()
    pipe.reset()
    stream.send(b"a" * size)
    assert (stream.closed, stream.told) == (True, ["up"])
    scene.turn()
    assert len(stream.told) == 2
    assert stream.told[1] in ("broken pipe", "connection reset by peer")


def test_a_reset_shows_while_nothing_fits(scene: Scene) -> None:
    stream, pipe = scene.connect()
    stream.pause_reading()
    fill(stream, os.urandom(MB))
    pipe.reset()
    scene.until(lambda: stream.closed)
    assert len(stream.told) == 2


def test_a_hang_up_is_told_of_once_while_nobody_reads(scene: Scene) -> None:
    stream, pipe = scene.connect()
    stream.pause_reading()
    scene.turn()
    pipe.fin()
    scene.turn(0.05)
    assert stream.told == ["up", "hangup"]


def test_a_pause_in_the_middle_of_a_read_is_no_hang_up(scene: Scene) -> None:
    """As when the other side takes no more of a body."""
    stream, pipe = scene.connect()
    stream.greedy = False
    pipe.send(b"word")
    scene.until(lambda: stream.heard == b"word")
    scene.turn()
    assert (stream.reading, stream.told) == (False, ["up"])


def test_a_forged_record_is_answered_by_an_alert(scene: Scene) -> None:
    stream, pipe = scene.connect()
    pipe.sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    scene.until(lambda: stream.closed)
    assert len(stream.told) == 2
    assert stream.told[1].startswith("TLS: ")
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        pipe.read_all()


def test_a_defect_of_ours_ends_the_connection(scene: Scene) -> None:
    stream, pipe = scene.connect()
    stream.give_up()
    assert (stream.closed, stream.told) == (True, ["up", "an internal error"])
    assert pipe.read_all() == b""
    assert pipe.end == "fin"


def test_nothing_happens_after_the_end(scene: Scene) -> None:
    stream, pipe = scene.connect()
    pipe.send(b"unread")
    stream.abort()
    for act in (
        stream.abort,
        stream.close,
        stream.discard,
        stream.flush,
        stream.pause_reading,
        stream.resume_reading,
        stream.send_eof,
        stream.vanish,
    ):
        act()
    stream.send(b"a")
    stream.queue(b"a")
    scene.turn()
    assert (stream.told, stream.heard, stream.reading, stream.blocked) == (
        ["up"], b"", False, False,
    )  # fmt: skip
    assert stream.sock.fileno() == -1


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (OSError("odd"), "OSError"),
        (ValueError("may hold a secret"), "ValueError"),
    ],
)
def test_a_reason_is_short(failure: BaseException, text: str) -> None:
    assert describe(failure) == text
