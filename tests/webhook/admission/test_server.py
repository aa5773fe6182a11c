"""`mca webhook` as a process: its pages, its limits, its certificate and its end."""

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.control_plane import choose_port
from tests.webhook.admission.scene import WebhookProcess, add_access, make_pod, make_review


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[WebhookProcess]:
    process = WebhookProcess(tmp_path).wait()
    yield process
    process.stop()


def test_its_pages(webhook: WebhookProcess) -> None:
    assert webhook.call("GET", "/livez") == (200, b"ok\n")
    assert webhook.call("GET", "/readyz") == (200, b"ok\n")
    status, body = webhook.call("POST", "/inject/standard", make_review(add_access(make_pod())))
    assert (status, json.loads(body)["response"]["allowed"]) == (200, True)
    page = webhook.call("GET", "/metrics")[1].decode()
    counted = 'mca_admission_reviews_total{code="",mode="standard",result="injected"} 1.0'
    assert counted in page
    assert webhook.call("GET", "/inject/standard")[0] == 405
    assert webhook.call("POST", "/inject/other", b"{}")[0] == 404
    assert webhook.stop() == 0


def test_a_review_has_a_largest_size(webhook: WebhookProcess) -> None:
    whole = make_review(make_pod())
    fits = whole + b" " * ((3 << 20) - len(whole))
    assert webhook.call("POST", "/inject/standard", fits)[0] == 200
    assert webhook.call("POST", "/inject/standard", fits + b" ")[0] == 413


def connect(webhook: WebhookProcess) -> ssl.SSLSocket:
    trust = ssl.create_default_context(cadata=webhook.authority.pem)
    plain = socket.create_connection(("127.0.0.1", webhook.port), timeout=30)
    return trust.wrap_socket(plain, server_hostname="localhost")


def test_only_tls_is_spoken(webhook: WebhookProcess) -> None:
    with connect(webhook) as secure:
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
    with socket.create_connection(("127.0.0.1", webhook.port)) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(4096).startswith(b"HTTP")


def test_a_new_certificate_is_served_and_a_bad_one_never(webhook: WebhookProcess) -> None:
    def served() -> int:
        with connect(webhook) as secure:
            return int(str((secure.getpeercert() or {})["serialNumber"]), 16)

    first = served()
    webhook.cert.write_text("nothing")
    deadline = time.monotonic() + 20
    while "certificate_kept" not in webhook.log():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert served() == first
    pair = webhook.authority.issue_server("next", ["localhost"])
    webhook.key.write_bytes(pair.key.read_bytes())
    webhook.cert.write_bytes(pair.certificate.read_bytes())
    while served() == first:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_takes_calls_until_it_has_drained(tmp_path: Path) -> None:
    webhook = WebhookProcess(tmp_path, MCA_WEBHOOK_DRAIN="2").wait()
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(webhook.stop()))
    waiting.start()
    deadline = time.monotonic() + 10
    while webhook.call("GET", "/readyz")[0] != 503:
        assert time.monotonic() < deadline
    body = make_review(add_access(make_pod()))
    with connect(webhook) as secure:
        head = f"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        secure.sendall(head.encode() + body)
        answer = secure.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    waiting.join()
    assert codes == [0]


def test_a_body_that_does_not_come_ends_with_its_connection(webhook: WebhookProcess) -> None:
    with connect(webhook) as secure:
        head = b"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
        secure.sendall(head)
        assert secure.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_by_default_both_families_are_served(tmp_path: Path) -> None:
    port = choose_port()
    webhook = WebhookProcess(tmp_path, MCA_WEBHOOK_LISTEN=f"[::]:{port}")
    webhook.port = port
    webhook.wait()  # by IPv4
    if socket.has_dualstack_ipv6():
        with socket.create_connection(("::1", port), timeout=10):
            pass
    assert webhook.stop() == 0


def test_a_port_that_is_taken(webhook: WebhookProcess) -> None:
    command = list(map(str, webhook.process.args)) if isinstance(webhook.process.args, list) else []
    second = subprocess.run(
        command, env=webhook.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 69
    assert '"event":"cannot_listen"' in second.stdout
