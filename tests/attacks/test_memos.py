"""What is remembered must decide and forward as what is not: one request sent again and again."""

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from tests.raw_client import RawClient, Response, render_request
from tests.scripted_server import ScriptedServer
from tests.sidecar_process import SidecarProcess

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
IDS = re.compile(rb"[0-9a-f]{32}-[0-9a-f]{16}|[0-9a-f]{32}")
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BAD"])
TARGETS = st.sampled_from([
    "/api/v1/namespaces/team-a/pods", "/api/v1/namespaces/team-a/pods?watch=0&limit=5",
    "/api/v1/namespaces/team-a/secrets", "/api/v1/nodes/n/proxy", "/version", "/a/../b", "/metrics",
    "/api/v1/namespaces/team-a/pods/a/exec?container=mca", "/apis/apps/v1/deployments",
    "/api/v1/namespaces/team-a/serviceaccounts/a/token", "/api/v1/pods?watch=1&watch=0",
    "/api/v1/namespaces/team-a/pods/a/log?container=c",
])  # fmt: skip
LINES = st.sampled_from([
    "Accept: application/json", "X-A: 1", "Connection: X-A", "Connection: close", "Cookie: a=b",
    "Connection: keep-alive", f"traceparent: {TRACE}", "traceparent: odd", "tracestate: a=b",
    "Connection: traceparent", "Content-Type: application/json", "Content-Type: a/b",
    "X-Remote-User: a", "Impersonate-User: a", "Origin: https://evil", "Host: evil", "A_b: 1",
    "Expect: 100-continue", "Upgrade: websocket", "Connection: Upgrade", "Audit-ID: mine",
    "Authorization: Bearer other", "X-Long: " + "a" * 600, "Kubectl-Session: 1",
])  # fmt: skip
BODIES = st.sampled_from([
    ((), b""),
    ((), b""),
    (("Content-Length: 0",), b""),
    (("Content-Length: 17",), b'{"type":"Opaque"}'),
    (("Transfer-Encoding: chunked",), b'11\r\n{"type":"Opaque"}\r\n0\r\n\r\n'),
    (("Content-Length: 46",), b'{"type":"kubernetes.io/service-account-token"}'),
])  # fmt: skip


class Place:
    def __init__(self, sidecar: SidecarProcess, upstream: ScriptedServer) -> None:
        self.sidecar = sidecar
        self.upstream = upstream

    def send(self, request: bytes, method: str) -> tuple[Response, list[bytes]]:
        """The answer, and all that arrived upstream for it."""
        before = len(self.upstream.requests)
        with RawClient(self.sidecar) as client:
            client.send(request)
            answer = client.read_response(method)
            if answer.status == 100:
                answer = client.read_response(method)
        arrived = self.upstream.requests[before:]
        return answer, [request.head + request.body for request in arrived]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ScriptedServer() as upstream, SidecarProcess(upstream.cluster()) as sidecar:
        yield Place(sidecar, upstream)
        assert sidecar.stderr() == ""


def less_ids(data: bytes) -> bytes:
    return IDS.sub(b"ID", data)


def less_date(answer: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    fields = [field for field in answer.fields if field[0] not in ("Date", "Audit-Id")]
    return answer.status, fields, answer.body


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=METHODS, target=TARGETS, lines=st.lists(LINES, max_size=4), body=BODIES)
@example(method="GET", target="/version", lines=[f"traceparent: {TRACE}"], body=((), b""))
@example(method="GET", target="/version", lines=["X-A: 1", "Connection: X-A"], body=((), b""))
def test_the_third_time_is_the_first(
    place: Place,
    method: str,
    target: str,
    lines: list[str],
    body: tuple[tuple[str, ...], bytes],
) -> None:
    """Once in full, once with its lines known, once with all of it known."""
    framing, content = body
    # A field that nobody sent before, so that the first time is one.
    fresh = f"X-Fresh: {place.upstream.connections}-{len(place.upstream.requests)}-{hash(target)}"
    request = render_request(place.sidecar, method, target, *lines, fresh, *framing, body=content)
    first, *others = (place.send(request, method) for _ in range(3))
    for answer, arrived in others:
        assert less_date(answer) == less_date(first[0])
        assert [less_ids(data) for data in arrived] == [less_ids(data) for data in first[1]]
    if first[0].status in (400, 401, 403, 405, 421):
        assert first[1] == []


def test_ids_are_each_calls_own(place: Place) -> None:
    idents = set()
    for _ in range(5):
        answer, (arrived,) = place.send(render_request(place.sidecar, "GET", "/version"), "GET")
        assert answer.status == 200
        (ident,) = re.findall(rb"\r\nAudit-ID: ([0-9a-f]{32})\r\n", arrived)
        (trace,) = re.findall(rb"\r\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-00\r\n", arrived)
        assert trace == (ident, ident[16:])
        idents.add(ident)
    assert len(idents) == 5


def test_what_is_remembered_for_one_container_is_not_for_another(
    make_sidecar: Callable[..., SidecarProcess],
) -> None:
    """The same bytes but for the token are two callers, also when the first is known."""
    with ScriptedServer() as upstream:
        sidecar = make_sidecar(upstream.cluster(), containers=("one", "two"))
        idents = {}
        for container in ("one", "two", "one", "two"):
            request = render_request(sidecar, "GET", "/version", token=sidecar.token(container))
            with RawClient(sidecar) as client:
                assert client.ask(request).status == 200
            (ident,) = upstream.requests[-1].values(b"Audit-ID")
            idents[ident.decode()] = container
        for known, line in sidecar.wait_for_audit(idents).items():
            assert line["caller"] == idents[known]
