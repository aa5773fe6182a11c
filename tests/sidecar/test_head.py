"""The strict parse of request heads: by table, and held against llhttp, which reads for others.

Whatever is accepted here must be the same request to another parser: method, target, fields and
where the body ends. What llhttp is lenient about, and we are not, is no difference that matters.
"""

import base64
from collections.abc import Sequence

import httptools
import pytest
from hypothesis import example, given, settings, strategies as st

from sidecar import head as head_module
from sidecar.grammar import CHUNKED
from sidecar.head import (
    MAX_FIELDS,
    RequestHead,
    cut_trace,
    parse_head,
    split_request_line,
)
from sidecar.policy.verdict import REASON_CODES, Denial

HOSTS = frozenset({b"127.0.0.1:6443", b"localhost"})
HOST = b"Host: 127.0.0.1:6443"
BEARER = b"Authorization: Bearer token"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def block(*lines: bytes) -> bytes:
    """A header block as it is cut out of a head."""
    return b"".join(b"\r\n" + line for line in lines) + b"\r\n\r\n"


def parse(*lines: bytes) -> RequestHead | Denial:
    return parse_head(block(*lines), HOSTS)


def accepted(*lines: bytes) -> RequestHead:
    head = parse(HOST, BEARER, *lines)
    assert isinstance(head, RequestHead), head
    return head


def refused(*lines: bytes) -> tuple[int, str]:
    denial = parse(*lines)
    assert isinstance(denial, Denial), denial
    return REASON_CODES[denial.reason], denial.rule


def kept(head: RequestHead) -> list[bytes]:
    return head.kept.split(b"\r\n")[1:]


# Tables


def test_a_plain_head() -> None:
    accepted()
    head = accepted()
    assert head.kept == b""
    assert head.token == b"token"
    assert (head.length, head.close, head.upgrade, head.expect) == (0, False, b"", False)
    assert head.plain, "lines seen before, and nothing in it that is each time another"


def test_a_head_is_worth_remembering_when_its_lines_come_again() -> None:
    line = b"X-Only-Here: 1"
    assert not accepted(line).plain
    assert accepted(line).plain


@pytest.mark.parametrize(
    ("lines", "status", "rule"),
    [
        ((), 400, "http/host"),
        ((BEARER,), 400, "http/host"),
        ((HOST, HOST, BEARER), 400, "http/host"),
        ((b"Host: other", BEARER), 421, "http/host"),
        ((HOST,), 401, "identity/token"),
        ((HOST, BEARER, BEARER), 401, "identity/token"),
        ((HOST, b"Authorization: Basic dTpw"), 401, "identity/token"),
        ((HOST, b"Authorization: Bearer a b"), 401, "identity/token"),
        ((HOST, b"Authorization: Bearer "), 401, "identity/token"),
        ((HOST, BEARER, b"no colon"), 400, "http/field"),
        ((HOST, BEARER, b"a_b: 1"), 400, "http/field"),
        ((HOST, BEARER, b"Impersonate-User: a"), 403, "guard/impersonation"),
        ((HOST, BEARER, b"Content-Type: a", b"Content-Type: b"), 400, "http/field"),
        ((HOST, BEARER, b"Content-Encoding: a", b"Content-Encoding: b"), 400, "http/field"),
        ((HOST, BEARER, b"Upgrade: a", b"Upgrade: b"), 400, "http/field"),
        ((HOST, BEARER, b"Expect: x"), 400, "http/expect"),
        ((HOST, BEARER, b"Content-Length: x"), 400, "http/framing"),
        ((b"Host: other", BEARER, b"Content-Length: x"), 421, "http/host"),
        ((HOST, BEARER, b"Connection: host"), 400, "http/connection"),
        ((HOST, BEARER, b"Connection: upgrade", b"Upgrade: h2c"), 400, "http/upgrade"),
        ((HOST, BEARER, b"Origin: https://evil"), 403, "http/origin"),
        ((HOST, BEARER, b"Origin: nonsense"), 403, "http/origin"),
        ((HOST, BEARER, *(b"X-A: %d" % n for n in range(MAX_FIELDS))), 431, "http/fields"),
    ],
)
def test_refusals(lines: Sequence[bytes], status: int, rule: str) -> None:
    head_module._lines.clear()
    for _ in range(2):  # by the grammar, then by remembered lines
        assert refused(*lines) == (status, rule)


def test_framing_is_written_anew() -> None:
    assert kept(accepted(b"content-length: 007")) == [b"Content-Length: 7"]
    assert kept(accepted(b"Content-Length: 0")) == [b"Content-Length: 0"]
    assert kept(accepted(b"transfer-encoding: Chunked")) == [b"Transfer-Encoding: chunked"]
    assert accepted(b"transfer-encoding: Chunked").length == CHUNKED


def test_types_are_kept_and_told() -> None:
    lines = [b"content-type:  application/json ", b"Content-Encoding: gzip"]
    head = accepted(*lines, b"Content-Length: 1")
    assert kept(head) == [*lines, b"Content-Length: 1"]
    assert (head.content_type, head.content_encoding) == ("application/json", "gzip")


def test_an_upgrade_closes_whatever_comes_of_it() -> None:
    head = accepted(b"Connection: keep-alive, Upgrade", b"Upgrade: SPDY/3.1")
    assert (head.upgrade, head.close, head.plain) == (b"SPDY/3.1", True, False)
    assert accepted(b"Upgrade: SPDY/3.1").upgrade == b""
    assert accepted(b"Connection: close").close


def test_expect_is_told_and_not_remembered() -> None:
    head = accepted(b"Expect: 100-Continue", b"Content-Length: 1")
    assert head.expect
    assert not head.plain
    assert kept(head) == [b"Content-Length: 1"]


def test_lines_named_by_connection_are_dropped() -> None:
    head = accepted(b"X-A: 1", b"Connection: x-a, X-B", b"x-b: 2", b"X-C: 3")
    assert kept(head) == [b"X-C: 3"]
    assert not head.plain
    traced = accepted(b"Traceparent: " + TRACE, b"Connection: traceparent")
    assert not traced.traced
    assert kept(traced) == []


def test_a_long_line_is_not_remembered() -> None:
    head = accepted(b"X-A: " + b"a" * 600)
    assert not head.plain
    assert len(kept(head)) == 1


def test_many_different_lines_are_not_all_remembered() -> None:
    for number in range(5000):
        assert kept(accepted(b"X-A: %d" % number)) == [b"X-A: %d" % number]


@pytest.mark.parametrize(
    ("protocols", "token", "real"),
    [
        ([b"a, {t}, b"], b"token", [b"a, b"]),
        ([b"{t}"], b"token", []),
        ([b"a", b"{t}"], b"token", [b"a"]),
        ([b"{t}", b"b,c"], b"token", [b"b, c"]),
    ],
)
def test_a_bearer_among_the_subprotocols(
    protocols: list[bytes], token: bytes, real: list[bytes]
) -> None:
    encoded = base64.urlsafe_b64encode(b"token").rstrip(b"=")
    bearer = b"base64url.bearer.authorization.k8s.io." + encoded
    lines = [b"Sec-WebSocket-Protocol: " + line.replace(b"{t}", bearer) for line in protocols]
    head = parse(HOST, *lines)
    assert isinstance(head, RequestHead)
    assert head.token == token
    assert kept(head) == [b"Sec-WebSocket-Protocol: " + names for names in real]
    assert refused(HOST, BEARER, *lines) == (401, "identity/token")


def test_a_subprotocol_bearer_that_is_no_base64() -> None:
    line = b"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.a"
    assert refused(HOST, line) == (401, "identity/token")


def test_our_own_origin_is_stripped() -> None:
    assert kept(accepted(b"Origin: https://127.0.0.1:6443")) == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"GET / HTTP/1.0", "http/version"),
        (b"GET / HTTP/2", "http/version"),
        (b"GET /", "http/request-line"),
        (b"", "http/request-line"),
        (b"GET  / HTTP/1.1", "http/request-line"),
        (b"GET /\xc3\xbc HTTP/1.1", "http/request-line"),
    ],
)
def test_request_lines_that_are_refused(line: bytes, rule: str) -> None:
    denial = split_request_line(line)
    assert isinstance(denial, Denial)
    assert denial.rule == rule


def test_a_request_line() -> None:
    assert split_request_line(b"get /a?b=%20 HTTP/1.1") == ("get", b"/a?b=%20")


# Traces


@pytest.mark.parametrize(
    "line", [b"traceparent: " + TRACE, b"Traceparent: " + TRACE], ids=["lower", "title"]
)
def test_a_trace_is_cut_out(line: bytes) -> None:
    whole = block(HOST, line, BEARER)
    assert cut_trace(whole) == (block(HOST, BEARER), TRACE)
    assert cut_trace(block(line, HOST)) == (block(HOST), TRACE)
    assert cut_trace(block(HOST, line)) == (block(HOST), TRACE)


@pytest.mark.parametrize(
    "lines",
    [
        (HOST,),
        (b"traceparent: " + TRACE, b"traceparent: " + TRACE),
        (b"traceparent: " + TRACE, b"Connection: traceparent"),
        (b"traceparent: " + TRACE, b"Connection: TraceParent"),
        (b"traceparent:" + TRACE,),
        (b"traceparent: " + TRACE + b" ",),
        (b"traceparent: 00-" + b"0" * 32 + TRACE[35:],),
        (b"traceparent: " + TRACE[:36] + b"0" * 16 + b"-01",),
        (b"traceparent: 01" + TRACE[2:],),
        (b"X-A: traceparent: " + TRACE,),
    ],
)
def test_a_trace_that_is_left_to_the_parse(lines: Sequence[bytes]) -> None:
    assert cut_trace(block(*lines)) == (block(*lines), b"")


@given(st.lists(st.sampled_from([
    HOST, BEARER, b"traceparent: " + TRACE, b"Traceparent: " + TRACE, b"X-A: 1", b"tracestate: a=b",
    b"Connection: X-A", b"Connection: traceparent", b"traceparent: odd", b"Content-Length: 3",
]), max_size=7))  # fmt: skip
def test_cutting_a_trace_out_changes_nothing_else(lines: list[bytes]) -> None:
    """What goes upstream is the same, whether the line was cut out or parsed with the others."""
    rest, trace = cut_trace(block(*lines))
    whole, parts = parse_head(block(*lines), HOSTS), parse_head(rest, HOSTS)
    if isinstance(whole, Denial):
        assert parts == whole
        return
    if not trace:
        assert parts == whole
        return
    assert isinstance(parts, RequestHead)
    assert kept(parts) == [line for line in kept(whole) if TRACE not in line]
    assert (whole.traced, parts.traced) == (True, False)
    assert (whole.token, whole.length, whole.close) == (parts.token, parts.length, parts.close)


def test_an_odd_trace_begins_a_new_one() -> None:
    for line in (b"traceparent: odd", b"traceparent:"):
        head = accepted(line)
        assert not head.traced
        assert kept(head) == []
    twice = accepted(b"traceparent: " + TRACE, b"traceparent: " + TRACE.replace(b"-01", b"-00"))
    assert kept(twice) == [b"traceparent: " + TRACE]


# llhttp reads the same


class Oracle:
    """What llhttp, strict as it comes, makes of a stream of bytes."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.methods: list[str] = []
        self.fields: list[tuple[bytes, bytes]] = []
        self.bodies: list[bytes] = []
        self.complete = 0
        self._parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.fields = [] if self.complete else self.fields
        self.bodies.append(b"")

    def on_url(self, url: bytes) -> None:
        self.targets.append(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.methods.append(self._parser.get_method().decode())

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.complete += 1

    def feed(self, data: bytes) -> bool:
        """False if it refuses."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return True
        except httptools.HttpParserError:
            return False
        return True


NEXT = b"GET /next HTTP/1.1\r\nHost: 127.0.0.1:6443\r\n\r\n"
SOUND = st.sampled_from([
    b"Accept: */*", b"X-A: 1", b"X-A:", b"x-a:\t2 ", b"X-A: a\tb\x80", b"Connection: close",
    b"Connection: keep-alive, X-A", b"Connection: TE", b"TE: trailers", b"Content-Length: 3",
    b"content-length:0", b"Content-Length: 003", b"Transfer-Encoding: chunked", b"Keep-Alive: 5",
    b"transfer-encoding:CHUNKED ", b"Content-Type: application/json", b"Expect: 100-continue",
    b"Connection: Upgrade", b"Upgrade: websocket", b"Cookie: a", b"X!#$%&'*+-.^`|~9: 1",
    b"traceparent: " + TRACE, b"Audit-ID: x", b"Trailer: X", b"Proxy-Connection: keep-alive",
])  # fmt: skip
ODD = st.tuples(
    st.sampled_from([b"X-A", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X\x80"]),
    st.sampled_from([b": ", b":", b" :", b":  "]),
    st.one_of(
        st.sampled_from([
            b"+3", b"3, 3", b"0x3", b"3;a", b"-1", b"gzip, chunked", b"chunked\x0b", b"identity",
            b"a\x7fb", b"a\x00b", b"99999999999999999999", b"chunked, chunked", b'"chunked"',
        ]),
        st.binary(max_size=6),
    ),
).map(b"".join)  # fmt: skip
LINES = st.one_of(SOUND, SOUND, SOUND, SOUND, ODD)
ENDS = st.sampled_from([b"\r\n"] * 30 + [b"\n", b"\r", b"\r\n ", b"\r\n\t", b"\r\r\n"])
STARTS = st.sampled_from(
    [b"GET /a HTTP/1.1"] * 6
    + [
        b"POST /a?b=c&d HTTP/1.1", b"DELETE /a%20b HTTP/1.1", b"PATCH /a;b HTTP/1.1",
        b"PUT /~!$&'()*+,=:@ HTTP/1.1", b"HEAD / HTTP/1.1", b"GET /a|b^`{}\"<> HTTP/1.1",
        b"GET * HTTP/1.1", b"GET http://x/ HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET /\\ HTTP/1.1",
    ]
)  # fmt: skip


@settings(max_examples=1000)
@given(start=STARTS, lines=st.lists(st.tuples(LINES, ENDS), max_size=5))
@example(start=b"GET /a HTTP/1.1", lines=[(b"Content-Length: 3", b"\r\n")])
@example(start=b"GET /a HTTP/1.1", lines=[(b"Transfer-Encoding: chunked", b"\r\n")])
def test_what_is_accepted_is_the_same_request_to_llhttp(
    start: bytes, lines: list[tuple[bytes, bytes]]
) -> None:
    raw = start + block(HOST, BEARER)[:-2] + b"".join(line + end for line, end in lines) + b"\r\n"
    end = raw.find(b"\r\n\r\n") + 4  # as it is cut out of the stream
    eol = raw.find(b"\r\n")
    split = split_request_line(raw[:eol])
    head = parse_head(raw[eol:end], HOSTS)
    if isinstance(split, Denial) or isinstance(head, Denial):
        return
    method, target = split
    if target.startswith((b"http", b"*")) or b"#" in target:
        return  # sidecar.policy.target refuses it
    oracle = Oracle()
    assert oracle.feed(raw[:end]), f"llhttp refuses {raw[:end]!r}"
    assert (oracle.methods, oracle.targets) == ([method], [target])
    theirs = oracle.fields
    ours = [line.partition(b":") for line in raw[eol + 2 : end - 4].split(b"\r\n")]
    assert theirs == [(name.lower(), value.strip(b" \t")) for name, _, value in ours]
    for name, _, value in (line.partition(b":") for line in kept(head)):
        if name not in (b"Content-Length", b"Transfer-Encoding"):  # those are written anew
            assert (name.lower(), value.strip(b" \t")) in theirs
    if head.upgrade:
        return
    # The body ends where we say: what follows is the next request.
    body = b"3\r\nabc\r\n0\r\n\r\n" if head.length == CHUNKED else b"a" * min(head.length, 999)
    if head.length > len(body):
        return
    assert oracle.complete == (0 if body else 1)
    assert oracle.feed(body)
    assert oracle.complete == 1
    if not head.close:
        assert oracle.feed(NEXT)
        assert oracle.targets == [target, b"/next"]


@given(lines=st.lists(LINES, max_size=5))
def test_a_second_look_is_the_first(lines: list[bytes]) -> None:
    """Lines that are remembered are judged as those that are not."""
    head_module._lines.clear()
    first, second = parse(HOST, BEARER, *lines), parse(HOST, BEARER, *lines)
    if isinstance(first, RequestHead) and isinstance(second, RequestHead):
        assert first._replace(repeats=False) == second._replace(repeats=False)
    else:
        assert first == second


# Answers that are looked into


def test_a_head_may_ask_for_what_can_be_read_alone() -> None:
    """Which that is, test_media_ranges tells."""
    head = accepted(b"Accept: application/cbor,application/json", b"Accept-Encoding: gzip")
    for _ in range(2):  # the second is remembered
        found = head.inspected(False)
        assert found is not None
        assert kept(found) == [b"Accept: application/json"]
        assert found._replace(kept=head.kept) == head
        assert accepted(b"Accept: application/yaml").inspected(False) is None


def test_what_is_remembered_of_them_is_bounded() -> None:
    for number in range(2 * head_module._MEMO_INSPECTED):
        assert accepted(b"X-Number: %d" % number).inspected(True) is not None
    assert len(head_module._inspected) <= head_module._MEMO_INSPECTED


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_a_body_of_another_length_is_framed_by_it(framing: bytes) -> None:
    head = accepted(b"X-A: Content-Length: 9", framing, b"Content-Type: application/json")
    resized = head.resized(123)
    assert resized.length == 123
    expected = [b"X-A: Content-Length: 9", b"Content-Type: application/json"]
    assert kept(resized) == [*expected, b"Content-Length: 123"]
    looked_into = head.inspected(True)
    assert looked_into is not None
    assert b"Content-Length: 123" in kept(looked_into.resized(123))
