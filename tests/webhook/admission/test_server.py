"""`mca webhook` as a process: its port, its certificate and its end."""

import socket
import subprocess
import threading
import time
from pathlib import Path

from tests.controlplane.control_plane import choose_port
from tests.webhook.admission.scene import WebhookProcess, add_access, make_pod, make_review


def test_only_tls_is_spoken(webhook: WebhookProcess) -> None:
    with webhook.connect() as secure:
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
    with socket.create_connection(("127.0.0.1", webhook.port)) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(4096).startswith(b"HTTP")


def test_a_new_certificate_is_served_and_a_bad_one_never(webhook: WebhookProcess) -> None:
    def served() -> int:
        with webhook.connect() as secure:
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
    with webhook.connect() as secure:
        head = f"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        secure.sendall(head.encode() + body)
        answer = secure.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    waiting.join()
    assert codes == [0]


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
