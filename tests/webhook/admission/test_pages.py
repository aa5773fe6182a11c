"""What the webhook answers over HTTP, and that no namespace can take it from the others."""

import gzip
import json
import ssl
import statistics
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.webhook.admission.conftest import Served
from tests.webhook.admission.scene import (
    WebhookProcess,
    add_access,
    make_container,
    make_pod,
    make_review,
)


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


def test_a_body_that_does_not_come_ends_with_its_connection(webhook: WebhookProcess) -> None:
    with webhook.connect() as secure:
        head = b"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
        secure.sendall(head)
        assert secure.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_what_is_compressed_stays_so(webhook: WebhookProcess) -> None:
    """Three KB that would become three MB are no review."""
    bomb = gzip.compress(b" " * (3 << 20) + make_review(make_pod()))
    head = (
        "POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(bomb)}\r\nConnection: close\r\n\r\n"
    )
    with webhook.connect() as secure:
        secure.sendall(head.encode() + bomb)
        answer = b"".join(iter(lambda: secure.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"mca malformed: the body is not JSON" in answer


class Answered(NamedTuple):
    """How long it took, and what it was."""

    seconds: float
    response: dict[str, Any]


def send(webhook: WebhookProcess, body: bytes) -> Answered:
    began = time.monotonic()
    status, answer = webhook.call("POST", "/inject/standard", body)
    assert status == 200, answer
    return Answered(time.monotonic() - began, json.loads(answer)["response"])


def make_large(namespace: str, containers: int = 500) -> bytes:
    """A review of 1 MB."""
    env = [{"name": f"VARIABLE_{i}", "value": "x" * 60} for i in range(20)]
    pod = make_pod(*(make_container(f"c{i}", env=env) for i in range(containers)))
    return make_review(add_access(pod), namespace=namespace)


class Flood:
    """Large reviews of one namespace, many at a time, by clients that come again when told."""

    def __init__(self, webhook: WebhookProcess, namespace: str, senders: int) -> None:
        self.answers: list[Answered] = []
        self._webhook, self._body = webhook, make_large(namespace)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(senders)]

    def _send(self) -> None:
        while not self._ending.is_set():
            self.answers.append(answer := send(self._webhook, self._body))
            if not answer.response["allowed"]:
                self._ending.wait(answer.response["status"]["details"]["retryAfterSeconds"])

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + 30
        while len(self.answers) < len(self._threads):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def list_served(self) -> list[float]:
        """The seconds of those that had their turn."""
        return [answer.seconds for answer in self.answers if answer.response["allowed"]]

    def list_refused(self) -> list[dict[str, Any]]:
        """What the others were told."""
        return [item.response["status"] for item in self.answers if not item.response["allowed"]]


def test_79_a_flood_of_one_namespace_does_not_hold_back_another(webhook: WebhookProcess) -> None:
    """Another's reviews, of its size too, are answered while its own stand in line."""
    small = make_review(add_access(make_pod()), namespace="other")
    large = make_large("other")
    light: list[Answered] = []
    heavy: list[Answered] = []
    lives: list[float] = []
    with Flood(webhook, "flood", senders=24) as flood:
        for _ in range(6):
            light.append(send(webhook, small))
            heavy.append(send(webhook, large))
            began = time.monotonic()
            assert webhook.call("GET", "/livez")[0] == 200
            lives.append(time.monotonic() - began)
    assert all(answer.response["allowed"] for answer in [*light, *heavy])
    waited = statistics.median(flood.list_served())
    assert statistics.median(answer.seconds for answer in heavy) < waited / 2
    assert statistics.median(answer.seconds for answer in light) < waited / 4
    assert statistics.median(lives) < waited / 4
    refused = flood.list_refused()
    assert {(status["code"], status["reason"]) for status in refused} == {(429, "TooManyRequests")}
    assert refused[0]["message"].startswith("mca busy: too many pods of namespace flood are")
    assert read_peak_mb(webhook) < 300


def read_peak_mb(webhook: WebhookProcess) -> float:
    status = Path(f"/proc/{webhook.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def count_reviews(webhook: WebhookProcess) -> dict[str, float]:
    """By their code."""
    lines = webhook.call("GET", "/metrics")[1].decode().splitlines()
    counted = [line for line in lines if line.startswith("mca_admission_reviews_total{")]
    return {line.split('"')[1]: float(line.split()[1]) for line in counted}


def test_79_an_answer_that_nobody_reads_is_held_like_its_review(webhook: WebhookProcess) -> None:
    """For five seconds, in the room of its namespace; then its connection ends."""
    pod = make_pod(*(make_container(f"{i:0>400}") for i in range(999)))
    body = make_review(add_access(pod), namespace="n")
    head = f"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    deadline = time.monotonic() + 60
    with ExitStack() as stack:
        for number in range(20):
            connection = stack.enter_context(webhook.connect("127.0.0.2"))
            connection.sendall(head.encode() + body)
            while sum(count_reviews(webhook).values()) < number + 1:
                assert time.monotonic() < deadline
        assert send(webhook, make_review(add_access(make_pod()))).response["allowed"]
        while not send(webhook, body).response["allowed"]:
            assert time.monotonic() < deadline
    assert count_reviews(webhook)["busy"] > 0
    assert read_peak_mb(webhook) < 300


class Stall:
    """Reviews of which the last byte does not come, begun anew whenever they are given up."""

    def __init__(
        self,
        webhook: WebhookProcess,
        namespaces: list[str],
        size: int,
        source: str = "127.0.0.1",
        *,
        pause_s: float = 1.0,
    ) -> None:
        self._pause_s = pause_s
        self._webhook, self._size, self._source = webhook, size, source
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(namespace,)) for namespace in namespaces
        ]

    def _send(self, namespace: str) -> None:
        body = make_review(make_pod(), namespace=namespace).ljust(self._size)
        head = "POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: "
        while not self._ending.is_set():
            with self._webhook.connect(self._source) as connection, suppress(OSError):
                connection.sendall(f"{head}{len(body) + 1}\r\n\r\n".encode() + body)
                connection.settimeout(0.2)
                self._wait(connection)

    def _wait(self, connection: ssl.SSLSocket) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                connection.recv(4096)
                self._ending.wait(0.2)
                return

    def __enter__(self) -> "Stall":
        for thread in self._threads:
            thread.start()
        time.sleep(self._pause_s)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()


def test_79_who_stalls_and_lies_takes_nobody_elses_room(webhook: WebhookProcess) -> None:
    """A peer may say what it likes of its namespaces, and there may be ten of them."""
    small = make_review(add_access(make_pod()), namespace="team-a")
    large = make_large("team-a", 100)
    names = [f"n{number}" for number in range(6)]
    with ExitStack() as stack:
        for peer in range(2, 12):
            source = f"127.0.0.{peer}"
            stack.enter_context(Stall(webhook, names, (1 << 20) - 1, source, pause_s=0))
        ending = time.monotonic() + 8
        while time.monotonic() < ending:
            assert send(webhook, small).response["allowed"]
            assert send(webhook, large).response["allowed"]
    assert read_peak_mb(webhook) < 260


def test_79_what_is_declared_and_does_not_come_takes_no_room(webhook: WebhookProcess) -> None:
    head = f"POST /inject/standard HTTP/1.1\r\nHost: x\r\nContent-Length: {3 << 20}\r\n\r\n"
    small = make_review(add_access(make_pod()), namespace="n0")
    with ExitStack() as stack:
        for number in range(40):
            start = make_review(make_pod(), namespace=f"n{number}")
            connection = stack.enter_context(webhook.connect())
            connection.sendall(head.encode() + start.ljust(2048))
        assert send(webhook, small).response["allowed"]


@pytest.mark.apiserver
def test_79_the_api_server_fails_closed_and_says_when_to_come_again(served: Served) -> None:
    for namespace in ("crowded", "roomy"):
        served.create_namespace(namespace, injection="enabled")
    path = "/api/v1/namespaces/{}/pods?dryRun=All"
    deadline = time.monotonic() + 60
    with Stall(served.webhook, ["crowded"] * 20, (1 << 20) - (64 << 10)):
        while True:
            answer = served.plane.request("POST", path.format("crowded"), make_pod())
            if answer.status == 429:
                break
            assert time.monotonic() < deadline, answer.body
            assert answer.status == 201, answer.body
        assert served.plane.request("POST", path.format("roomy"), make_pod()).status == 201
    assert "mca busy: too many pods of namespace crowded are being created" in str(answer.json())
    assert answer.headers["Retry-After"] == "1"
