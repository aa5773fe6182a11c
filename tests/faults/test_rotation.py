"""Faults: tokens, CAs and certificates that change under way, and calls refused with 401."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.controlplane.certificates import Authority
from tests.raw_client import RawClient, render_request
from tests.scripted_server import OK, Connection, ScriptedServer
from tests.sidecar_process import Cluster, SidecarProcess, swap_data

TARGET = "/api/v1/namespaces/team-a/configmaps"
UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


class TokenServer(ScriptedServer):
    """Answers 200 to the token that is good now, 401 to others."""

    def __init__(self, good: str) -> None:
        super().__init__(self._judge)
        self.good = good
        self.seen: list[bytes] = []

    def _judge(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            (bearer,) = request.values(b"Authorization")
            self.seen.append(bearer)
            good = bearer == b"Bearer " + self.good.encode()
            connection.send(OK if good else UNAUTHORIZED)


def ask(sidecar: SidecarProcess, method: str = "GET", body: bytes = b"") -> int:
    lines = [f"Content-Length: {len(body)}"] if body or method != "GET" else []
    with RawClient(sidecar) as client:
        return client.ask(render_request(sidecar, method, TARGET, *lines, body=body)).status


def test_a_renewed_token_is_used_without_a_401(make_sidecar: Callable[..., SidecarProcess]) -> None:
    """The kubelet swaps `..data`; within 60 s is demanded, within 2 s it is."""
    with TokenServer("one") as upstream:
        sidecar = make_sidecar(upstream.cluster("one"))
        assert ask(sidecar) == 200
        sidecar.write_token("two")
        upstream.good = "two"
        time.sleep(2)
        upstream.seen.clear()
        assert ask(sidecar) == 200
        assert upstream.seen == [b"Bearer two"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_refused_call_is_sent_again_with_the_new_token(
    make_sidecar: Callable[..., SidecarProcess], method: str
) -> None:
    """A 401 carried nothing out, so every verb may be sent again, with its body."""
    with TokenServer("one") as upstream:
        sidecar = make_sidecar(upstream.cluster("one"))
        assert ask(sidecar) == 200
        upstream.good = "two"
        sidecar.write_token("two")
        body = b'{"a":1}' if method == "POST" else b""
        assert ask(sidecar, method, body) == 200
        assert [request.body for request in upstream.requests[1:]] == [body, body]
        assert upstream.seen[1:] == [b"Bearer one", b"Bearer two"]
        first, second = (request.values(b"Audit-ID") for request in upstream.requests[1:])
        assert first == second, "one decision, one id"


def test_one_refresh_for_many_refused_calls(make_sidecar: Callable[..., SidecarProcess]) -> None:
    with TokenServer("one") as upstream:
        sidecar = make_sidecar(upstream.cluster("one"))
        assert ask(sidecar) == 200
        reloads = sidecar.metric("mca_credential_reloads_total")
        upstream.good = "two"
        sidecar.write_token("two")
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(lambda _: ask(sidecar), range(32))) == [200] * 32
        assert sidecar.metric("mca_credential_reloads_total") == reloads + 1


def test_a_401_without_a_newer_token_is_passed_on(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    """Once each: a hostile member's 401s bring about no storm of ours."""
    with TokenServer("good") as upstream:
        sidecar = make_sidecar(upstream.cluster("bad"))
        for _ in range(20):
            assert ask(sidecar) == 401
        assert len(upstream.requests) == 20
        sidecar.write_token("good")
        time.sleep(1.1)  # files are looked at once a second
        assert ask(sidecar) == 200


def test_a_401_after_the_body_went_out_in_pieces_is_passed_on(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    """What is no longer here cannot be sent again: more than 16 KiB are not kept."""
    with TokenServer("two") as upstream:
        sidecar = make_sidecar(upstream.cluster("one"))
        body = b"x" * 200_000
        head = render_request(sidecar, "POST", TARGET, f"Content-Length: {len(body)}")
        sidecar.write_token("two")
        with RawClient(sidecar) as client:
            client.send(head)
            upstream_has = threading.Event()
            for start in range(0, len(body), 50_000):
                client.send(body[start : start + 50_000])
                upstream_has.wait(0.05)
            assert client.read_response().status == 401
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("content", ["", "\n", "two words", "a\r\nX: b", "x" * 70_000, "\u00e4"])
def test_a_broken_token_never_replaces_a_good_one(
    make_sidecar: Callable[..., SidecarProcess], content: str
) -> None:
    with TokenServer("one") as upstream:
        sidecar = make_sidecar(upstream.cluster("one"))
        assert ask(sidecar) == 200
        sidecar.write_token(content)
        assert sidecar.wait_for_event("credential_unusable")["level"] == "warning"
        assert ask(sidecar) == 200
        assert set(upstream.seen) == {b"Bearer one"}


def test_a_token_that_comes_late(make_sidecar: Callable[..., SidecarProcess]) -> None:
    """Nothing is sent without one; the call may be sent again."""
    with TokenServer("one") as upstream:
        known = upstream.cluster("one")
        sidecar = make_sidecar(Cluster(known.server, known.ca_pem))
        answer = sidecar.request("GET", TARGET)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
        assert upstream.connections == 0
        sidecar.write_token("one")
        time.sleep(1.2)  # files are looked at once a second
        assert ask(sidecar) == 200


def test_a_new_serving_certificate_of_the_same_ca(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster())
        assert ask(sidecar) == 200
        upstream.renew(upstream.authority.issue_server("scripted", ("127.0.0.1",)))
        upstream.break_connections()
        assert ask(sidecar) == 200


def make_ca_cluster(sidecar: SidecarProcess, upstream: ScriptedServer) -> dict[str, object]:
    """A snapshot whose CA is a file, as that of the home cluster is."""
    document = sidecar.render_snapshot(upstream.cluster())
    document["clusters"][0]["caBundle"] = {"caFile": str(sidecar.folder / "trust" / "ca.crt")}
    return document


def test_a_ca_is_rotated(make_sidecar: Callable[..., SidecarProcess]) -> None:
    """Old, both, new: the order in which an administrator does it; the server changes between."""
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster())
        folder = sidecar.folder / "trust"
        other = Authority(sidecar.folder, "another-ca")
        old, new = upstream.authority.pem.encode(), other.pem.encode()
        swap_data(folder, {"ca.crt": old})
        sidecar.write_snapshot(make_ca_cluster(sidecar, upstream))
        time.sleep(1.2)
        assert ask(sidecar) == 200
        swap_data(folder, {"ca.crt": old + new})
        time.sleep(1.2)
        assert ask(sidecar) == 200
        upstream.renew(other.issue_server("scripted", ("127.0.0.1",)))
        upstream.break_connections()
        assert ask(sidecar) == 200
        swap_data(folder, {"ca.crt": new})
        time.sleep(1.2)
        assert ask(sidecar) == 200


def test_a_withdrawn_ca_opens_nothing(make_sidecar: Callable[..., SidecarProcess]) -> None:
    """Also not by a kept connection or a resumed session, which would skip the verification."""
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster())
        folder = sidecar.folder / "trust"
        swap_data(folder, {"ca.crt": upstream.authority.pem.encode()})
        sidecar.write_snapshot(make_ca_cluster(sidecar, upstream))
        time.sleep(1.2)
        assert ask(sidecar) == 200
        other = Authority(sidecar.folder, "another-ca")
        swap_data(folder, {"ca.crt": other.pem.encode()})
        time.sleep(1.2)
        before = len(upstream.requests)
        assert ask(sidecar) == 503
        assert len(upstream.requests) == before


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_broken_ca_never_replaces_a_good_one(
    make_sidecar: Callable[..., SidecarProcess], content: bytes
) -> None:
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster())
        folder = sidecar.folder / "trust"
        swap_data(folder, {"ca.crt": upstream.authority.pem.encode()})
        sidecar.write_snapshot(make_ca_cluster(sidecar, upstream))
        time.sleep(1.2)
        assert ask(sidecar) == 200
        swap_data(folder, {"ca.crt": content})
        sidecar.wait_for_event("ca_unusable")
        upstream.break_connections()
        assert ask(sidecar) == 200


WRONG = {
    "another-ca": ("127.0.0.1",),
    "another-name": ("10.0.0.1", "evil.example"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_server_that_is_not_the_cluster_gets_no_token(
    make_sidecar: Callable[..., SidecarProcess], wrong: str
) -> None:
    with ScriptedServer() as upstream:
        cluster = upstream.cluster()
        issuer = Authority(upstream.folder, "impostor") if wrong == "another-ca" else None
        upstream.renew((issuer or upstream.authority).issue_server("impostor", WRONG[wrong]))
        sidecar = make_sidecar(Cluster(cluster.server, cluster.ca_pem, token="t"))
        answer = sidecar.request("GET", TARGET)
        assert answer.status == 503
        assert "certificate verif" in answer.json()["message"]
        assert upstream.received_bytes == 0


def test_a_snapshot_that_moves_the_cluster(make_sidecar: Callable[..., SidecarProcess]) -> None:
    """New calls go to the new place; a bad snapshot changes nothing."""
    with ScriptedServer() as first, ScriptedServer() as second:
        sidecar = make_sidecar(first.cluster())
        assert ask(sidecar) == 200
        sidecar.write_snapshot(b"{")
        sidecar.wait_for_event("snapshot_refused")
        assert ask(sidecar) == 200
        assert len(first.requests) == 2
        sidecar.point_to(second.cluster())
        deadline = time.monotonic() + 3
        while not second.requests and time.monotonic() < deadline:
            assert ask(sidecar) == 200
            time.sleep(0.1)
        before = len(first.requests)
        assert ask(sidecar) == 200
        assert len(first.requests) == before


def test_a_ca_file_that_vanishes_takes_nothing_away(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster())
        folder = sidecar.folder / "trust"
        swap_data(folder, {"ca.crt": upstream.authority.pem.encode()})
        sidecar.write_snapshot(make_ca_cluster(sidecar, upstream))
        time.sleep(1.2)
        assert ask(sidecar) == 200
        (folder / "ca.crt").unlink()
        sidecar.wait_for_event("ca_unusable")
        upstream.break_connections()
        assert ask(sidecar) == 200
