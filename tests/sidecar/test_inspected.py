"""What goes to the client of an answer that is looked into, read by http.client's own decoder.

Its way through two connections is shown in tests/multicluster.
"""

import http.client
import io
import json

import pytest
from hypothesis import given, strategies as st

from sidecar.chunks import FramingError
from sidecar.exchange import Exchange, Sink
from sidecar.gate import Decided
from sidecar.head import RequestHead
from sidecar.inspected import InspectedBody, is_inspected
from sidecar.objects import Inspection
from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.verdict import Caller
from sidecar.response import parse_response

IDENT = b"0af7651916cd43dd8448eb211c80319c"
LINE = b"GET /api/v1/namespaces/team-a/pods HTTP/1.1"
OURS = b'{"kind":"Pod","metadata":{"namespace":"team-a","resourceVersion":"5"}}\n'
TAGGED = OURS.replace(b'"5"', b'"57421"')
FOREIGN = OURS.replace(b"team-a", b"team-b")
EVENT = b'{"type":"ADDED","object":' + OURS.strip() + b"}\n"


class Nobody:
    """A client that is not told anything: a body tells its exchange alone."""


def begin(*, close: bool = False) -> Exchange:
    head = RequestHead(b"", b"", 0, close, b"", False, False, "", "", True)
    info = RequestInfo(True, "/api/v1/namespaces/team-a/pods", "list")
    client: Sink = Nobody()  # type: ignore[assignment]
    return Exchange(client, Decided(LINE, info, Caller("app", "", "", "")), head, IDENT)


def open_body(
    exchange: Exchange, *fields: bytes, watch: bool = False, media: bytes = b"application/json"
) -> InspectedBody:
    lines = (b"HTTP/1.1 200 OK", b"Content-Type: " + media, b"Mca-Decision: forged", *fields)
    raw = b"\r\n".join((*lines, b"", b""))
    inspection = Inspection("team-a", 7421, watch)
    return InspectedBody(exchange, inspection, parse_response(raw, IDENT), raw)


def cut(content: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(content[:size])
        content = content[size:]
    return [*pieces, content]


class _Socket:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self.raw)


def read(raw: bytes) -> tuple[http.client.HTTPResponse, bytes]:
    response = http.client.HTTPResponse(_Socket(raw))  # type: ignore[arg-type]
    response.begin()
    return response, response.read()


@given(st.booleans(), st.booleans(), st.lists(st.integers(0, 30)))
def test_the_client_gets_one_sound_answer(chunked: bool, close: bool, sizes: list[int]) -> None:
    exchange = begin(close=close)
    if chunked:
        body = open_body(exchange, b"Transfer-Encoding: chunked")
        content = b"5\r\n" + OURS[:5] + b"\r\n%x\r\n" % len(OURS[5:]) + OURS[5:] + b"\r\n0\r\n\r\n"
    else:
        body = open_body(exchange, b"Content-Length: %d" % len(OURS))
        content = OURS
    out, surplus = b"", b""
    for piece in cut(content + b"next", sizes):
        if body.done:
            surplus += piece
        else:
            passed, rest = body.feed(piece)
            out += passed
            surplus += rest
            exchange.bytes_out += len(passed)
    assert body.done
    assert surplus == b"next"
    response, payload = read(out)
    assert payload == TAGGED
    assert response.headers.get_all("Transfer-Encoding") == ["chunked"]
    assert response.headers["Content-Length"] is None
    assert response.headers["Mca-Decision"] is None
    assert response.headers.get_all("Connection") == (["close"] if close else None)
    assert exchange.bytes_out == len(out) - (out.find(b"\r\n\r\n") + 4)


def test_nothing_goes_out_before_something_may() -> None:
    """So that the call can still be answered with an error."""
    exchange = begin()
    body = open_body(exchange, b"Content-Length: %d" % len(FOREIGN))
    assert body.feed(FOREIGN[:-1]) == (b"", b"")
    assert not exchange.responding
    with pytest.raises(FramingError, match="foreign namespace"):
        body.feed(FOREIGN[-1:])
    assert not exchange.responding


def test_a_list_goes_out_while_it_comes() -> None:
    exchange = begin()
    body = open_body(exchange, b"Transfer-Encoding: chunked")
    item = json.dumps({"metadata": {"namespace": "team-a"}, "data": "a" * 70_000}).encode()
    content = b'{"kind":"PodList","items":[' + item + b"," + item.replace(b"team-a", b"team-b")
    passed, _ = body.feed(b"%x\r\n%b\r\n" % (len(content), content))
    assert exchange.responding
    assert item in passed
    assert b"team-b" not in passed
    with pytest.raises(FramingError, match="foreign namespace"):
        body.feed(b"2\r\n]}\r\n0\r\n\r\n")


def test_a_watch_begins_at_once_and_passes_whole_events() -> None:
    exchange = begin()
    body = open_body(exchange, b"Transfer-Encoding: chunked", watch=True)
    out = body.begin()
    assert exchange.responding
    assert out.startswith(b"HTTP/1.1 200 OK\r\n")
    for piece in (EVENT[:10], EVENT[10:] + EVENT[:5]):
        passed, _ = body.feed(b"%x\r\n%b\r\n" % (len(piece), piece))
        out += passed
        assert body.between_chunks
    assert read(out + b"0\r\n\r\n")[1] == EVENT.replace(b'"5"', b'"57421"')


@pytest.mark.parametrize(
    ("fields", "media", "why"),
    [
        ((b"Content-Length: 5",), b"text/plain", "media type"),
        ((b"Content-Length: 5", b"Content-Encoding: gzip"), b"application/json", "compressed"),
        ((), b"application/json", "where it ends"),
    ],
)
def test_what_cannot_be_looked_into_is_refused(
    fields: tuple[bytes, ...], media: bytes, why: str
) -> None:
    with pytest.raises(FramingError, match=why):
        open_body(begin(), *fields, media=media)


def test_bad_framing_is_refused() -> None:
    body = open_body(begin(), b"Transfer-Encoding: chunked")
    with pytest.raises(FramingError, match="chunk size"):
        body.feed(b"xyz\r\n")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(200, None, True), (201, 7421, True), (410, 7421, True), (410, None, False),
     (404, 7421, False), (500, 7421, False)],
)  # fmt: skip
def test_errors_pass_but_for_one_that_may_hold_a_token(
    status: int, code: int | None, expected: bool
) -> None:
    assert is_inspected(Inspection("team-a", code), status) is expected


def test_nothing_passes_unseen() -> None:
    body = open_body(begin(), b"Content-Length: 100000")
    body.skip(50_000)
    assert body.unseen == 0
    body.feed(OURS)
    assert not body.done


def test_a_body_of_known_length_must_come_in_time() -> None:
    assert open_body(begin(), b"Content-Length: 5").timed
    assert not open_body(begin(), b"Transfer-Encoding: chunked").timed


def endless(count: int) -> tuple[list[Exchange], list[InspectedBody]]:
    """An event each that begins and never ends."""
    exchanges = [begin() for _ in range(count)]
    bodies = []
    for exchange in exchanges:
        body = open_body(exchange, b"Transfer-Encoding: chunked", watch=True)
        body.feed(b"%x\r\n" % (1 << 30))
        bodies.append(body)
    return exchanges, bodies


def test_what_all_answers_hold_is_bounded() -> None:
    """A cluster that ends nothing must not take the memory of calls to others."""
    exchanges, bodies = endless(30)
    held = 0

    def feed_all() -> None:
        nonlocal held
        for body in bodies * 16:
            body.feed(b"a" * 100_000)
            held += 100_000

    with pytest.raises(FramingError, match="too much is held"):
        feed_all()
    assert held < 14 << 20
    for exchange in exchanges:
        exchange.over = True
    (alone,) = endless(1)[1]
    for _ in range(20):
        alone.feed(b"a" * 100_000)


def test_what_passes_is_not_held() -> None:
    _, bodies = endless(2)
    for body in bodies * 50:
        body.feed(EVENT * 300)
        assert body.held == 0
