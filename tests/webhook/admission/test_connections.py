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
        asked = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        kept.sendall(asked)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert 5 < wait_closed(silent, 30) < 25
        assert wait_closed(slow, 10) < 5
        kept.sendall(asked)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_no_peer_takes_all_connections(webhook: WebhookProcess) -> None:
    """Refused ones are closed at once, and counted."""
    review = make_review(add_access(make_pod()))
    with ExitStack() as stack:
        ours = [
            stack.enter_context(
                socket.create_connection(
                    ("127.0.0.1", webhook.port), timeout=30, source_address=("127.0.0.2", 0)
                )
            )
            for _ in range(400)
        ]
        assert wait_closed(ours[-1], 10) < 3
        assert webhook.call("POST", "/inject/standard", review)[0] == 200
    page = webhook.call("GET", "/metrics")[1].decode()
    (line,) = [
        line
        for line in page.splitlines()
        if line.startswith("mca_admission_connections_refused_total ")
    ]
    assert 80 <= float(line.split()[1]) <= 100
    deadline = time.monotonic() + 10
    while True:
        with socket.create_connection(
            ("127.0.0.1", webhook.port), timeout=30, source_address=("127.0.0.2", 0)
        ) as again:
            again.settimeout(0.5)
            try:
                again.recv(1)
            except TimeoutError:
                return  # it is let in: what was closed is free again
        assert time.monotonic() < deadline


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
