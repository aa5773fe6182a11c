"""Who may be connected: half of the handshakes, silent ones, too many of one peer."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from tests.webhook.admission.scene import WebhookProcess, add_access, make_pod, make_review


def wait_closed(connection: socket.socket, seconds: float) -> float:
    """How long until its other side has gone."""
    began = time.monotonic()
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


def count_descriptors(webhook: WebhookProcess) -> int:
    return len(list(Path(f"/proc/{webhook.process.pid}/fd").iterdir()))


def test_half_a_handshake_has_a_deadline(webhook: WebhookProcess) -> None:
    before = count_descriptors(webhook)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", webhook.port), timeout=30))
            for _ in range(50)
        ]
        assert webhook.call("GET", "/livez")[0] == 200
        assert wait_closed(silent[-1], 20) < 15
    deadline = time.monotonic() + 10
    while count_descriptors(webhook) > before:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_who_asks_nothing_is_closed_and_who_has_asked_may_wait(webhook: WebhookProcess) -> None:
    with webhook.connect() as silent, webhook.connect() as slow, webhook.connect() as kept:
        slow.sendall(b"GET /livez HT")
        review = make_review(add_access(make_pod()))
        head = f"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: {len(review)}\r\n"
        asked = head.encode() + b"\r\n" + review
        kept.sendall(asked)
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert 5 < wait_closed(silent, 30) < 25
        assert wait_closed(slow, 10) < 5
        kept.sendall(asked)
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")


def connect_from(webhook: WebhookProcess, source: str) -> socket.socket:
    address = ("127.0.0.1", webhook.port)
    return socket.create_connection(address, timeout=30, source_address=(source, 0))


def count_refused(webhook: WebhookProcess) -> float:
    page = webhook.call("GET", "/metrics")[1].decode()
    name = "mca_admission_connections_refused_total "
    (line,) = [line for line in page.splitlines() if line.startswith(name)]
    return float(line.split()[1])


def test_no_peer_takes_all_connections(webhook: WebhookProcess) -> None:
    """Those of who has most are given up, the oldest first, and counted."""
    review = make_review(add_access(make_pod()))
    with ExitStack() as stack:
        ours = [stack.enter_context(connect_from(webhook, "127.0.0.2")) for _ in range(700)]
        assert wait_closed(ours[-1], 10) < 3
        for _ in range(5):
            assert webhook.call("POST", "/inject/standard", review)[0] == 200
        assert 50 <= count_refused(webhook) <= 80


def test_nor_do_many_peers(webhook: WebhookProcess) -> None:
    """Each is let in at the expense of whoever has most; who has few always is."""
    review = make_review(add_access(make_pod()))
    asked = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        for peer in range(2, 12):
            for number in range(80):
                if number % 20 == 0:
                    stack.enter_context(webhook.connect(f"127.0.0.{peer}")).sendall(asked)
                else:
                    stack.enter_context(connect_from(webhook, f"127.0.0.{peer}"))
        for _ in range(10):
            assert webhook.call("POST", "/inject/standard", review)[0] == 200


def test_who_breaks_off_writes_no_traceback(webhook: WebhookProcess) -> None:
    head = b"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
    for body in (b"", b" " * 4000):
        with webhook.connect() as gone:
            gone.sendall(head + body)
            time.sleep(0.2)
    with webhook.connect() as bad:
        bad.sendall(head.replace(b"Content-Length: 9000", b"Transfer-Encoding: chunked") + b"x\r\n")
        wait_closed(bad, 10)
    assert webhook.call("GET", "/livez")[0] == 200
    assert webhook.stop() == 0
    lines = webhook.log().splitlines()
    assert lines
    assert [line for line in lines if not line.startswith("{")] == []
