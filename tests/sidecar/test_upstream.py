"""Answers that are looked into, from a scripted cluster through a real connection to a sink.

What passes as it is, and the life of connections, is shown in tests/attacks and tests/faults.
"""

import http.client
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.exchange import Exchange
from sidecar.gate import Decided
from sidecar.inquiry import question
from sidecar.objects import Inspection
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Caller, Denial, Reason
from sidecar.status import error_event_json, error_event_protobuf
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar.member_scene import MemberScene, reply
from tests.sidecar.objects.messages import an_object, envelope, event

IDENT = b"0af7651916cd43dd8448eb211c80319c"
PATH = "/api/v1/namespaces/team-a/pods"
OURS = b'{"kind":"Pod","metadata":{"namespace":"team-a","resourceVersion":"5"}}'
FOREIGN = OURS.replace(b"team-a", b"team-b")
TAGGED = OURS.replace(b'"5"', b'"57421"')
EXPIRED = b'{"kind":"Status","apiVersion":"v1","metadata":{"continue":"ab"},"code":410}'
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
GONE = Denial(Reason.EXPIRED, "route/moved", "list again")
LIST = b'{"kind":"PodList","items":['


class Recorder:
    """A client: what it was sent, and how its call ended."""

    def __init__(self) -> None:
        self.blocked = False
        self.sent = b""
        self.end = ""

    def send(self, data: bytes) -> None:
        self.sent += data

    queue = send

    def flush(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def tunnel_eof(self) -> None: ...
    def open_tunnel(self, exchange: Exchange) -> None: ...

    def complete(self, exchange: Exchange, now: float) -> None:
        exchange.over = True
        self.end = "complete"

    def cut(self, exchange: Exchange) -> None:
        exchange.over = True
        self.end = "cut"

    def refuse(self, exchange: Exchange, refusal: Denial, retry_after: int | None) -> None:
        assert retry_after is None
        exchange.over = True
        self.end = f"{refusal.reason.name} {refusal.rule}: {refusal.message}"


@pytest.fixture
def scene(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[MemberScene]:
    scene = MemberScene(tmp_path)
    yield scene
    scene.close()


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def chunked(*payloads: bytes, media: bytes = b"application/json") -> bytes:
    return CHUNKED % media + b"".join(map(chunk, payloads)) + b"0\r\n\r\n"


def begin(client: Recorder, code: int | None, *, query: str = "", method: str = "GET") -> Exchange:
    target = parse_target((PATH + query).encode())
    assert isinstance(target, Target)
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    asked = question(PATH + query, b"Accept: application/json", method=method)
    exchange = Exchange(
        client, Decided(asked.line, info, Caller("app", "", "", "")), asked.head, IDENT
    )
    exchange.inspection = Inspection("team-a", code, info.watch)
    return exchange


def call(
    scene: MemberScene,
    answer: bytes,
    code: int | None = 7421,
    *,
    query: str = "",
    method: str = "GET",
) -> tuple[Recorder, Exchange, int]:
    """One call; how many connections two of them took."""
    recorders = []
    exchange = begin(Recorder(), code, query=query, method=method)

    def answer_once_each(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(answer)
            if b"\r\nConnection: close\r\n" in answer:
                return

    with ScriptedServer(answer_once_each) as server:
        member = scene.member(server)
        for _ in range(2):
            client = Recorder()
            exchange = begin(client, code, query=query, method=method)
            member.dispatch(exchange)
            scene.wait_for(lambda client=client: client.end)  # type: ignore[misc]
            recorders.append(client)
        connections = server.connections
    assert recorders[0].sent == recorders[1].sent
    return recorders[1], exchange, connections


class _Socket:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self.raw)


def body_of(raw: bytes, method: str = "GET") -> bytes:
    response = http.client.HTTPResponse(_Socket(raw), method=method)  # type: ignore[arg-type]
    response.begin()
    return response.read()


@pytest.mark.parametrize("answer", [reply(OURS), chunked(OURS[:9], OURS[9:])])
def test_an_answer_is_tagged_on_its_way(scene: MemberScene, answer: bytes) -> None:
    client, exchange, connections = call(scene, answer)
    assert client.end == "complete"
    assert body_of(client.sent) == TAGGED
    assert exchange.status == 200
    assert exchange.bytes_out == len(client.sent) - client.sent.index(b"\r\n\r\n") - 4
    assert connections == 1, "it ended where it should: its connection serves the next call"


def test_an_answer_that_is_only_checked_keeps_its_bytes(scene: MemberScene) -> None:
    client, _, _ = call(scene, reply(OURS), None)
    assert body_of(client.sent) == OURS


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(FOREIGN), "foreign namespace, not of team-a"),
        (chunked(FOREIGN[:9], FOREIGN[9:]), "foreign namespace, not of team-a"),
        (reply(OURS[:-1]), "no JSON object"),
        (reply(OURS, b"200 OK", b"Content-Encoding: gzip"), "compressed"),
        (reply(OURS).replace(b"/json", b"/cbor"), "media type"),
        (chunked(OURS, media=b""), "media type"),
        (CHUNKED % b"application/json" + b"zz\r\n", "chunk size"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
            + OURS,
            "where it ends",
        ),
    ],
)
def test_a_bad_answer_is_a_502_before_anything_went_out(
    scene: MemberScene, answer: bytes, why: str
) -> None:
    client, exchange, connections = call(scene, answer)
    assert client.sent == b""
    assert client.end.startswith("BAD_GATEWAY upstream/malformed: the answer of cluster west")
    assert why in client.end
    assert not exchange.responding
    assert connections == 2, "nothing more is taken from that connection"


def test_a_list_that_turns_bad_is_cut(scene: MemberScene) -> None:
    filler = OURS[:-1] + b',"data":"' + b"a" * 30_000 + b'"},'
    client, exchange, connections = call(scene, chunked(LIST + 9 * filler, FOREIGN + b"]}"))
    assert client.end == "cut"
    assert exchange.responding
    assert b"team-b" not in client.sent
    assert not client.sent.endswith(b"0\r\n\r\n")
    assert connections == 2


def test_a_cluster_that_breaks_off_is_seen_to(scene: MemberScene) -> None:
    """Before anything went out it is a 502, later a cut: never a clean end."""
    held = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    client, _, _ = call(scene, held + b"Content-Length: 500\r\n\r\n" + OURS)
    assert client.end.startswith("BAD_GATEWAY upstream/broken")
    assert client.sent == b""


@pytest.mark.parametrize(
    "answer",
    [
        reply(FOREIGN, b"404 Not Found"),
        reply(b"text", b"500 Internal Server Error"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_errors_and_empty_answers_pass_as_they_are(scene: MemberScene, answer: bytes) -> None:
    client, _, _ = call(scene, answer)
    assert (client.sent, client.end) == (answer, "complete")


def test_an_answer_to_head_has_no_body_to_look_into(scene: MemberScene) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
    client, _, _ = call(scene, answer, method="HEAD")
    assert (client.sent, client.end) == (answer, "complete")


def test_the_token_in_a_410_is_tagged_too(scene: MemberScene) -> None:
    answer = reply(EXPIRED, b"410 Gone")
    assert b'"7421.ab"' in body_of(call(scene, answer)[0].sent)
    assert call(scene, answer, None)[0].sent == answer


@pytest.mark.parametrize(
    ("media", "sent", "error"),
    [
        (
            b"application/json",
            [b'{"type":"ADDED","object":' + content + b"}\n" for content in (OURS, TAGGED)],
            error_event_json(GONE),
        ),
        (
            b"application/vnd.kubernetes.protobuf;stream=watch",
            [event("ADDED", envelope(an_object(version=version))) for version in ("5", "57421")],
            error_event_protobuf(GONE),
        ),
    ],
)
def test_a_watch_can_be_ended_between_events(
    scene: MemberScene, media: bytes, sent: list[bytes], error: bytes
) -> None:
    """Even while half an event is here: it was not given out."""
    found, passed = sent

    def watch(connection: Connection) -> None:
        connection.read_request()
        connection.send(CHUNKED % media)
        connection.send(chunk(found) + chunk(found[:20]))
        connection.read_some()

    with ScriptedServer(watch) as server:
        client = Recorder()
        exchange = begin(client, 7421, query="?watch=true")
        scene.member(server).dispatch(exchange)
        scene.wait_for(lambda: client.sent.endswith(chunk(passed)))
        assert exchange.watching
        exchange.end_watch(GONE)
    assert client.end == "complete"
    assert body_of(client.sent) == passed + error


def test_the_head_of_a_watch_does_not_wait_for_an_event(scene: MemberScene) -> None:
    def watch(connection: Connection) -> None:
        connection.read_request()
        connection.send(CHUNKED % b"application/json")
        connection.read_some()

    with ScriptedServer(watch) as server:
        client = Recorder()
        exchange = begin(client, None, query="?watch=true")
        scene.member(server).dispatch(exchange)
        scene.wait_for(lambda: client.sent)
        assert client.sent == CHUNKED % b"application/json"
        assert exchange.bytes_out == 0
        exchange.end_watch(None)
    assert body_of(client.sent) == b""


def test_a_foreign_event_cuts_the_watch(scene: MemberScene) -> None:
    line = b'{"type":"ADDED","object":%b}\n'
    client = Recorder()
    passed = chunk(line % TAGGED)

    def watch(connection: Connection) -> None:
        connection.read_request()
        connection.send(CHUNKED % b"application/json" + chunk(line % OURS))
        while not client.sent.endswith(passed):
            time.sleep(0.001)
        connection.send(chunk(line % FOREIGN))
        connection.read_some()

    with ScriptedServer(watch) as server:
        scene.member(server).dispatch(begin(client, 7421, query="?watch=true"))
        scene.wait_for(lambda: client.end)
    assert client.end == "cut"
    assert client.sent.endswith(passed)
