"""Attacks 47, 64 and 80: what an application can reach or take without a token of ours."""

import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.attacks.conftest import Front, assert_status
from tests.controlplane.control_plane import choose_port
from tests.raw_client import RawClient, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import SidecarProcess

EXIT_BIND = 69
BOTH = {
    "MCA_API_LISTEN": "127.0.0.1:{port},[::1]:{port}",
    "MCA_ADMIN_LISTEN": "[::]:{admin_port}",
}
EXEC = "/api/v1/namespaces/team-a/pods/a/portforward"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
SPDY = ("Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0")


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def locked_out(upstream: ScriptedServer) -> Iterator[tuple[SidecarProcess, float]]:
    """A sidecar restarted after a crash, whose port the application has taken; and since when.

    It is patient for 10 s: it begins with the first test of this module, and the last looks at it.
    """
    crashed = SidecarProcess(upstream.cluster()).start()
    crashed.kill()
    with listen("127.0.0.1", crashed.port):
        yield crashed.spawn(), time.monotonic()
    crashed.remove()


# 47: streams inside a tunnel


def test_47_a_tunnel_whose_far_end_does_not_read_holds_little(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    """Streams and their windows are between client and API server; the bytes are bounded here."""
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(SWITCH)
        done.wait(30)

    with ScriptedServer(script) as server:
        sidecar = make_sidecar(server.cluster())
        before = sidecar.rss_bytes()
        with RawClient(sidecar, timeout_s=1.0) as client:
            client.send(render_request(sidecar, "POST", EXEC, *SPDY))
            assert client.read_head().status == 101
            with pytest.raises(TimeoutError):
                client.send(bytes(64 << 20))
            assert sidecar.rss_bytes() - before < 4 << 20
        done.set()


def test_47_a_tunnel_whose_near_end_does_not_read_holds_little(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    blocked = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(SWITCH)
        connection.sock.settimeout(1.0)
        try:
            for _ in range(64):
                connection.send(bytes(1 << 20))
        except TimeoutError:
            blocked.set()

    with ScriptedServer(script) as server:
        sidecar = make_sidecar(server.cluster())
        before = sidecar.rss_bytes()
        with RawClient(sidecar) as client:
            client.send(render_request(sidecar, "POST", EXEC, *SPDY))
            assert client.read_head().status == 101
            assert blocked.wait(20)
            assert sidecar.rss_bytes() - before < 4 << 20


# 64: a fetcher inside the application


@pytest.mark.parametrize("path", ["/", "/api", "/livez", "/healthz", "/metrics", "/version"])
def test_64_no_token_no_answer(front: Front, path: str) -> None:
    answer = front.refuse(front.render(target=path, token=""), 401, "identity/token")
    assert b"upstream" not in answer.body
    assert front.upstream.url.encode() not in answer.body


def test_64_plain_http_to_the_api_port_is_answered_with_no_http(front: Front) -> None:
    front.mark()
    with socket.create_connection(front.sidecar.api, timeout=5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        data = b""
        try:
            while piece := sock.recv(4096):
                data += piece
        except ConnectionResetError:
            pass
    assert b"HTTP" not in data
    front.assert_nothing_forwarded()


def test_64_the_admin_port_tells_nothing_secret(front: Front) -> None:
    sidecar = front.sidecar
    with RawClient(sidecar) as client:
        for target in ("/api/v1/namespaces/a-private-name/pods", "/a-private-path?secret=1"):
            assert client.ask(front.render(target=target)).status == 200
    for path in ("/livez", "/readyz", "/metrics", "/", "/debug/pprof", "/metrics?x=1"):
        body = sidecar.ask_admin(path).body.decode()
        for private in (
            "a-private",
            "secret=1",
            "upstream-token",
            sidecar.token(),
            front.upstream.url,
        ):
            assert private not in body


@pytest.mark.parametrize("path", ["/snapshot", "/debug", "/config", "/api", "//livez", "/LIVEZ"])
def test_64_the_admin_port_serves_nothing_else(front: Front, path: str) -> None:
    assert front.sidecar.ask_admin(path).status == 404


def own_address() -> str:
    """An address of this machine that is not loopback; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.7", 9))
        return str(probe.getsockname()[0])


def ask(address: str, port: int, path: str) -> tuple[int, bytes]:
    with socket.create_connection((address, port), timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while piece := sock.recv(65536):
            data += piece
    return int(data.split(b" ")[1]), data


@pytest.mark.parametrize(("public", "status"), [(None, 403), ("public", 200)])
def test_64_metrics_go_to_other_pods_only_when_asked(
    make_sidecar: Callable[..., SidecarProcess],
    upstream: ScriptedServer,
    public: str | None,
    status: int,
) -> None:
    address = own_address()
    assert not address.startswith("127.")
    sidecar = make_sidecar(
        upstream.cluster(), env={"MCA_METRICS": public, "MCA_ADMIN_LISTEN": "[::]:{admin_port}"}
    )
    port = sidecar.admin_port
    assert ask(address, port, "/metrics")[0] == status
    assert ask(address, port, "/readyz")[0] == 200
    assert ask("127.0.0.1", port, "/metrics")[0] == 200
    assert ask("::1", port, "/metrics")[0] == 200


def test_64_the_api_is_not_on_the_pods_address(front: Front) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own_address(), front.sidecar.port), timeout=5)


# 80: who has the port


def listen(address: str, port: int, *options: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    for option in options:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        sock.bind((address, port))
        sock.listen()
    except BaseException:
        sock.close()
        raise
    return sock


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize(
    "options",
    [
        (),
        (socket.SO_REUSEADDR,),
        (socket.SO_REUSEPORT,),
        (socket.SO_REUSEADDR, socket.SO_REUSEPORT),
    ],
    ids=["plain", "reuseaddr", "reuseport", "both"],
)
def test_80_nobody_shares_our_port(
    make_sidecar: Callable[..., SidecarProcess],
    both_families: SidecarProcess,
    address: str,
    options: tuple[int, ...],
) -> None:
    for port in (both_families.port, both_families.admin_port):
        with pytest.raises(OSError, match="in use"):
            listen(address, port, *options)


@pytest.fixture(scope="module")
def both_families(upstream: ScriptedServer) -> Iterator[SidecarProcess]:
    with SidecarProcess(upstream.cluster(), env=BOTH) as sidecar:
        yield sidecar


def test_80_both_loopbacks_are_served(both_families: SidecarProcess) -> None:
    trust = both_families.trust()
    for host in ("127.0.0.1", "::1"):
        plain = socket.create_connection((host, both_families.port), timeout=5)
        with trust.wrap_socket(plain, server_hostname=host) as tls:
            shown = f"[{host}]" if ":" in host else host
            tls.sendall(render_request(both_families, host=f"{shown}:{both_families.port}"))
            assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_80_a_taken_port_is_tried_again_with_a_clear_message(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, address: str
) -> None:
    shown = f"[{address}]" if ":" in address else address
    port = choose_port()
    application = listen(address, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)
    ours = make_sidecar(upstream.cluster(), env=BOTH, port=port, spawn=True)
    told = ours.wait_for_event("port_taken")
    assert told["address"] == f"{shown}:{port}"
    assert told["level"] == "warning"
    assert "is taken by another process; trying again" in told["message"]
    assert ours.exit_code is None
    application.close()
    ours.wait_ready(5)
    assert ours.request("GET", "/version").status == 200


def test_80_an_address_that_is_not_ours_ends_with_69(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    sidecar = make_sidecar(
        upstream.cluster(), env={"MCA_ADMIN_LISTEN": "198.51.100.7:6444"}, spawn=True
    )
    assert sidecar.wait(20) == EXIT_BIND
    assert "MCA_ADMIN_LISTEN: cannot listen on any address" in sidecar.stderr()


def test_80_the_application_cannot_stand_in_for_us(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """What it would need to be trusted by its own clients is readable by the sidecar's uid only."""
    sidecar = make_sidecar(upstream.cluster())
    private = sidecar.folder / "identity"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    files = list(private.iterdir())
    assert {"tls.key", "seed"} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for path in sidecar.client_folder().iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert b"PRIVATE" not in path.read_bytes()


def test_80_a_restart_keeps_the_identity(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """Clients read the CA once: a container that crashed must come back as the same one."""
    sidecar = make_sidecar(upstream.cluster())
    trust, token = sidecar.trust(), sidecar.token()
    for _ in range(2):
        sidecar.kill()
        sidecar.start()
        with RawClient(sidecar.api, context=trust) as client:
            assert client.ask(render_request(sidecar, token=token)).status == 200


def test_a_refusal_is_audited(front: Front) -> None:
    """Every answer of ours carries the id of its audit line."""
    cases = [
        (front.render(token=""), 401, "identity/token"),
        (front.render(host="evil"), 421, "http/host"),
        (front.render(target="/a/../b"), 400, "target/canonical"),
        (front.render("GET", "/api/v1/nodes/n/proxy"), 403, "guard/proxy"),
        (b"\r\n\r\n", 400, None),
    ]
    expected = {}
    for request, status, rule in cases:
        with front.connect() as client:
            answer = client.ask(request)
        assert_status(answer, status, rule)
        expected[answer.header("Audit-Id") or ""] = (status, answer.header("Mca-Decision"))
    for ident, line in front.sidecar.wait_for_audit(expected).items():
        assert line["decision"] == "denial"
        assert (line["code"], line["rule"]) == expected[ident]
        assert "member" not in line


def test_80_a_port_that_stays_taken_ends_with_69(
    locked_out: tuple[SidecarProcess, float],
) -> None:
    sidecar, since = locked_out
    if time.monotonic() - since < 5:
        assert sidecar.exit_code is None, "it was not patient"
    assert sidecar.wait(20) == EXIT_BIND
    said = sidecar.stderr()
    where = f"127.0.0.1:{sidecar.port}"
    assert said.startswith(f"mca: MCA_API_LISTEN: cannot listen on {where}: ")
    assert "another process listens there" in said
    assert said.count("\n") == 1
    (told,) = sidecar.events("port_taken")
    assert (told["address"], told["seconds"]) == (where, pytest.approx(10, abs=1))
