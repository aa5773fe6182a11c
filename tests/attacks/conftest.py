"""A sidecar before an upstream that records every byte: what is refused must send none."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.raw_client import RawClient, Response, render_request
from tests.scripted_server import Request, ScriptedServer
from tests.sidecar_process import SidecarProcess

CANARY = "/api/v1/namespaces/team-a/configmaps/canary"


class Front:
    """The pair, and what an attack may and may not bring about."""

    def __init__(self, sidecar: SidecarProcess, upstream: ScriptedServer) -> None:
        self.sidecar = sidecar
        self.upstream = upstream
        self._bytes = 0
        self._requests = 0

    def render(self, *arguments: Any, **options: Any) -> bytes:
        """A sound request, but for what the arguments say."""
        return render_request(self.sidecar, *arguments, **options)

    def connect(self, **options: Any) -> RawClient:
        """A connection of one's own."""
        return RawClient(self.sidecar, **options)

    def mark(self) -> None:
        """Count from here."""
        self._bytes = self.upstream.received_bytes
        self._requests = len(self.upstream.requests)

    def assert_nothing_forwarded(self) -> None:
        """Not a byte since the mark: a canary sent now is the first to arrive."""
        with self.connect() as client:
            assert client.ask(self.render(target=CANARY)).status == 200
        arrived = self.upstream.requests[self._requests :]
        assert [request.target for request in arrived] == [CANARY.encode()]
        assert self.upstream.received_bytes - self._bytes == len(arrived[0].head)

    def refuse(self, request: bytes, status: int, rule: str | None = None) -> Response:
        """Send it alone: it is answered with a Status, the connection ends, nothing goes on."""
        self.mark()
        with self.connect() as client:
            client.send(request)
            answer = client.read_response()
            assert_status(answer, status, rule)
            assert answer.header("Connection") == "close"
            assert client.wait_closed() in ("close_notify", "fin")
        self.assert_nothing_forwarded()
        return answer

    def deny(self, request: bytes, status: int, rule: str, method: str = "GET") -> Response:
        """A sound request that is refused: a Status, nothing goes on, the connection may live."""
        self.mark()
        with self.connect() as client:
            answer = client.ask(request, method)
            if method == "HEAD":
                assert answer.status == status
            else:
                assert_status(answer, status, rule)
        self.assert_nothing_forwarded()
        return answer

    def forward(self, request: bytes, method: str = "GET") -> Request:
        """Send it: it is answered by the upstream; what that got."""
        self.mark()
        with self.connect() as client:
            answer = client.ask(request, method)
            assert answer.status == 200, answer
        return self.upstream.wait_for_requests(self._requests + 1)[self._requests]


def assert_status(answer: Response, status: int, rule: str | None = None) -> None:
    """An answer of ours: a Kubernetes Status that fits its code and carries the decision's id."""
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/json"
    body = json.loads(answer.body)
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    assert body["code"] == status
    assert body["reason"]
    assert body["message"]
    assert len(answer.header("Audit-Id") or "") == 32
    if rule is not None:
        assert answer.header("Mca-Decision") == rule
    if status not in (429, 503):
        assert answer.header("Retry-After") is None


@pytest.fixture(scope="package")
def front() -> Iterator[Front]:
    """One for all attacks; none of them may change what the next one meets."""
    with ScriptedServer() as upstream, SidecarProcess(upstream.cluster()) as sidecar:
        yield Front(sidecar, upstream)
        assert sidecar.exit_code is None
        assert sidecar.stderr() == ""
