"""What goes upstream of a call. Its way through two connections is shown in tests/faults."""

import contextlib

import httptools
import pytest
from hypothesis import given, strategies as st

from sidecar.exchange import REPLAY_BYTES, Exchange, Sink
from sidecar.gate import Decided
from sidecar.head import RequestHead, cut_trace, parse_head
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Caller

IDENT = b"0af7651916cd43dd8448eb211c80319c"
TRACE = b"00-aaf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LINE = b"POST /api/v1/namespaces/team-a/pods/web-0/exec?command=ls HTTP/1.1"
SUFFIX = b"\r\nHost: api\r\nAuthorization: Bearer real\r\nAudit-ID: "


class Nobody:
    """A client that is never told anything: a call that has not been dispatched tells nothing."""


def begin(*fields: bytes) -> Exchange:
    raw = b"\r\n".join([b"", b"Host: localhost", b"Authorization: Bearer mca", *fields, b"", b""])
    block, trace = cut_trace(raw)
    head = parse_head(block, frozenset({b"localhost"}))
    target = parse_target(LINE.split()[1])
    assert isinstance(head, RequestHead)
    assert isinstance(target, Target)
    info = request_info("POST", target)
    assert isinstance(info, RequestInfo)
    client: Sink = Nobody()  # type: ignore[assignment]
    exchange = Exchange(client, Decided(LINE, info, Caller("app", "", "", "")), head, IDENT)
    exchange.trace = trace
    return exchange


class Oracle:
    """The request as llhttp reads it."""

    def __init__(self, raw: bytes) -> None:
        self.target = self.body = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = 0
        self.parser = httptools.HttpRequestParser(self)
        with contextlib.suppress(httptools.HttpParserUpgrade):
            self.parser.feed_data(raw)

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


FIELDS = st.sampled_from(
    [
        b"Accept: */*", b"traceparent: " + TRACE, b"Traceparent: " + TRACE, b"traceparent: odd",
        b"traceparent:" + TRACE, b"tracestate: a=b", b"Connection: close", b"Expect: 100-continue",
        b"Connection: traceparent", b"X-Remote-User: root", b"Audit-ID: forged", b"Cookie: a",
    ]
)  # fmt: skip


@given(st.lists(FIELDS, max_size=6), st.booleans())
def test_what_goes_upstream_is_one_sound_request(fields: list[bytes], body: bool) -> None:
    """With our credential and none of the client's, one id and one trace."""
    if fields.count(b"Expect: 100-continue") > 1:
        return
    exchange = begin(*fields, *([b"Content-Length: 4"] if body else []))
    if body:
        exchange.take_body(b"body")
    oracle = Oracle(exchange.render(SUFFIX))
    assert (oracle.complete, oracle.target) == (1, LINE.split()[1])
    assert oracle.body == (b"body" if body else b"")
    values: dict[bytes, list[bytes]] = {}
    for name, value in oracle.fields:
        values.setdefault(name, []).append(value)
    assert values[b"authorization"] == [b"Bearer real"]
    assert values[b"host"] == [b"api"]
    assert values[b"audit-id"] == [IDENT]
    (trace,) = values[b"traceparent"]
    named = b"Connection: traceparent" in fields
    sound = [field for field in fields if field.endswith(TRACE)]
    assert trace == (TRACE if sound and not named else b"00-" + IDENT + b"-" + IDENT[16:] + b"-00")
    assert (b"expect" in values) == (b"Expect: 100-continue" in fields)
    assert not values.keys() & {b"x-remote-user", b"cookie", b"connection"}


def test_an_upgrade_is_asked_for_in_our_own_words() -> None:
    exchange = begin(b"Connection: keep-alive, Upgrade", b"Upgrade: SPDY/3.1")
    raw = exchange.render(SUFFIX)
    assert raw.count(b"\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n") == 1
    assert raw.lower().count(b"upgrade:") == 1
    assert exchange.close


@pytest.mark.parametrize(
    ("done", "responding", "can_replay"),
    [(True, False, True), (False, False, False), (True, True, False)],
)
def test_a_call_may_be_sent_again_until_an_answer_begins(
    done: bool, responding: bool, can_replay: bool
) -> None:
    exchange = begin(b"Content-Length: 4")
    exchange.take_body(b"body")
    exchange.body_done, exchange.responding = done, responding
    assert exchange.can_replay is can_replay


def test_a_body_without_a_taker_is_kept() -> None:
    """Nobody has read it: it can still be sent whole, however long."""
    size = 2 * REPLAY_BYTES
    exchange = begin(b"Content-Length: %d" % size)
    for _ in range(4):
        exchange.take_body(b"a" * (size // 4))
    assert exchange.bytes_in == size
    assert exchange.render(SUFFIX).endswith(b"\r\n\r\n" + b"a" * size)
