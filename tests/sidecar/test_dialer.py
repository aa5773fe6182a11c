"""New connections to real servers on loopback: addresses in turn, deadlines, what went wrong."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from sidecar.config import Settings, parse_settings
from sidecar.dialer import Dialer, _Attempt
from sidecar.member import Member
from sidecar.metrics import Metrics
from sidecar.policy.snapshot import Cluster, TokenFile
from sidecar.reactor import Reactor
from sidecar.upstream import Upstream
from tests.controlplane.certificates import Authority
from tests.tls_pipe import TlsPipe

LOOPBACK = "127.0.0.1"


class Scene:
    """Servers with a certificate, and dialers that trust it."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder, "dialer-ca")
        pair = self._authority.issue_server("dialer", (LOOPBACK, "localhost"))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        settings = parse_settings(
            {"MCA_NAMESPACE": "a", "MCA_CONNECT_TIMEOUT": "1", "MCA_HANDSHAKE_TIMEOUT": "1"}
        )
        assert isinstance(settings, Settings)
        self.limits = settings.limits
        self.reactor = Reactor()
        self._members: list[Member] = []
        self._threads: list[threading.Thread] = []
        self.ends = contextlib.ExitStack()

    def listen(self) -> socket.socket:
        """A port where nobody answers: a connection is made and no more."""
        return self.ends.enter_context(socket.create_server((LOOPBACK, 0)))

    def serve(self) -> int:
        """A port where one TLS handshake is answered."""
        listener = self.listen()

        def answer() -> None:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(ssl.SSLError, OSError):
                pipe = TlsPipe(sock, self._context, server_side=True)
                pipe.handshake()
                pipe.read_all()

        thread = threading.Thread(target=answer)
        thread.start()
        self._threads.append(thread)
        return listener.getsockname()[1]  # type: ignore[no-any-return]

    def dialer(self, host: str, port: int, *, ca: str = "") -> Dialer:
        pem = (ca or self._authority.pem).encode()
        server = f"https://{host}:{port}"
        cluster = Cluster("home", server, host, port, pem, None, None, TokenFile("/none"))
        member = Member(cluster, self.limits, Metrics(), self.reactor)
        self._members.append(member)
        return Dialer(member, self.reactor)

    def settle(self, begin: Callable[[Callable[[Upstream | str], None]], object]) -> Upstream | str:
        """Begin, and wait for what the dialer has to say: once."""
        told: list[Upstream | str] = []
        self.reactor.loop.call_soon(begin, told.append)
        end = monotonic() + 5
        while not told:
            assert monotonic() < end, "nothing is told"
            self.turn(0.001)
        self.turn(0.02)
        assert len(told) == 1
        return told[0]

    def turn(self, seconds: float) -> None:
        self.reactor.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        for member in self._members:
            member.close_down()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self.ends.close()
        loop = self.reactor.loop
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def scene(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]  # type: ignore[no-any-return]


@pytest.mark.parametrize("host", [LOOPBACK, "localhost"])
def test_a_connection_is_told_of_when_it_can_be_used(scene: Scene, host: str) -> None:
    connection = scene.settle(scene.dialer(host, scene.serve()).dial)
    assert isinstance(connection, Upstream)
    assert connection.up
    assert not connection.closed
    keep_alive = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert keep_alive
    assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_an_address_needs_no_resolver(scene: Scene) -> None:
    """Its first question would start threads: 1 MB each."""
    before = threading.active_count()
    assert isinstance(scene.settle(scene.dialer(LOOPBACK, free_port()).dial), str)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("host", "problem"),
    [(LOOPBACK, "connection refused"), ("localhost", "connection refused")],
)
def test_nobody_listens(scene: Scene, host: str, problem: str) -> None:
    assert scene.settle(scene.dialer(host, free_port()).dial) == problem


def test_a_name_that_does_not_resolve_is_asked_for_once(scene: Scene) -> None:
    dialer = scene.dialer("nowhere.invalid", 443)
    told: list[Upstream | str] = []
    for _ in range(3):
        scene.reactor.loop.call_soon(dialer.dial, told.append)
    end = monotonic() + 5
    while len(told) < 3 and monotonic() < end:
        scene.turn(0.01)
    assert len(told) == 3
    assert len(set(map(str, told))) == 1
    assert str(told[0]).startswith("its name nowhere.invalid does not resolve: ")


def test_a_certificate_of_somebody_else(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger").pem
    problem = scene.settle(scene.dialer(LOOPBACK, scene.serve(), ca=stranger).dial)
    assert str(problem).startswith("certificate verification failed: ")


def test_one_address_after_the_other(scene: Scene) -> None:
    dialer = scene.dialer(LOOPBACK, 1)
    addresses = [(socket.AF_INET, (LOOPBACK, port)) for port in (free_port(), scene.serve())]
    addresses.insert(0, (socket.AF_INET, ("255.255.255.255", 1)))
    connection = scene.settle(lambda then: _Attempt(dialer, addresses, then))
    assert isinstance(connection, Upstream)
    assert connection.sock.getpeername()[1] == addresses[-1][1][1]


def test_the_next_address_after_a_failed_handshake(scene: Scene) -> None:
    rude = scene.listen()

    def hang_up() -> None:
        rude.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    dialer = scene.dialer(LOOPBACK, 1)
    ports = (rude.getsockname()[1], scene.serve())
    addresses = [(socket.AF_INET, (LOOPBACK, port)) for port in ports]
    connection = scene.settle(lambda then: _Attempt(dialer, addresses, then))
    thread.join(5)
    assert isinstance(connection, Upstream)
    assert connection.sock.getpeername()[1] == ports[1]


def test_nobody_waits_for_addresses_that_are_given_up(scene: Scene) -> None:
    """However many are still to be tried."""
    full = scene.ends.enter_context(socket.socket())
    full.bind((LOOPBACK, 0))
    full.listen(0)
    for _ in range(4):
        waiting = scene.ends.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
    dialer = scene.dialer(LOOPBACK, 1)
    told: list[Upstream | str] = []
    addresses = [(socket.AF_INET, full.getsockname())] * 3
    scene.reactor.loop.call_soon(_Attempt, dialer, addresses, told.append)
    scene.turn(0.05)
    assert (told, len(dialer.attempts)) == ([], 1)
    dialer.abandon("it is down")
    assert told == ["it is down"]
    scene.turn(1.2)
    assert (told, dialer.attempts) == (["it is down"], set())


def test_no_address_at_all(scene: Scene) -> None:
    dialer = scene.dialer(LOOPBACK, 1)
    assert scene.settle(lambda then: _Attempt(dialer, [], then)) == "it has no address"


def test_a_port_that_does_not_answer_is_left_in_time(scene: Scene) -> None:
    """Its backlog is full, so that the connect itself gets no answer."""
    full = socket.socket()
    full.bind((LOOPBACK, 0))
    full.listen(0)
    scene.ends.enter_context(full)
    for _ in range(4):
        waiting = scene.ends.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
    started = monotonic()
    problem = scene.settle(scene.dialer(LOOPBACK, full.getsockname()[1]).dial)
    assert problem == "no connection within 1 s"
    assert 0.9 < monotonic() - started < 4
