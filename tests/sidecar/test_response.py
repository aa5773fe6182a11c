"""Response heads: by table, against llhttp, and with and without the memo."""

from collections.abc import Iterator

import httptools
import pytest
from hypothesis import assume, example, given, strategies as st

from sidecar import response
from sidecar.grammar import CHUNKED
from sidecar.response import UNTIL_CLOSE, ResponseError, ResponseHead, parse_response

IDENT = b"5eed5eed5eed5eed5eed000000000001"
NEXT_IDENT = b"5eed5eed5eed5eed5eed000000000002"


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    response._heads.clear()
    yield
    response._heads.clear()


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"".join(line + b"\r\n" for line in (status, *lines)) + b"\r\n"


def parse(*lines: bytes) -> ResponseHead:
    return parse_response(head(*lines), IDENT)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK", 200),
        (b"HTTP/1.1 200 ", 200),
        (b"HTTP/1.1 200", 200),
        (b"HTTP/1.1 100 Continue", 100),
        (b"HTTP/1.1 599 \x80\t", 599),
    ],
)
def test_status(line: bytes, status: int) -> None:
    assert parse_response(head(status=line), IDENT).status == status


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.0 200 OK",
        b"HTTP/2 200",
        b"http/1.1 200 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 600 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 OK\n",
        b" HTTP/1.1 200 OK",
    ],
)
def test_no_status_line(line: bytes) -> None:
    with pytest.raises(ResponseError, match="status line"):
        parse_response(head(status=line), IDENT)


@pytest.mark.parametrize(
    ("lines", "length", "keep_alive"),
    [
        ([b"Content-Length: 5"], 5, True),
        ([b"content-length:0"], 0, True),
        ([b"Content-Length: 5 "], 5, True),
        ([b"Transfer-Encoding: chunked"], CHUNKED, True),
        ([], UNTIL_CLOSE, False),
        ([b"Content-Length: 5", b"Connection: close"], 5, False),
        ([b"Content-Length: 5", b"Connection: keep-alive, Close"], 5, False),
        ([b"Content-Length: 5", b"Connection: keep-alive"], 5, True),
    ],
)
def test_framing(lines: list[bytes], length: int, keep_alive: bool) -> None:
    parsed = parse(*lines)
    assert (parsed.length, parsed.keep_alive) == (length, keep_alive)


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length",
        b"Content-Length : 5",
        b" Content-Length: 5",
        b"X: a\nContent-Length: 5",
        b"X: a\rContent-Length: 5",
        b"X: a\x00",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5,5",
        b"Content-Length: -5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Connection: Content-Length",
        b"Connection: close, host",
        b"Connection: transfer-encoding",
    ],
)
def test_refused(line: bytes) -> None:
    with pytest.raises(ResponseError):
        parse_response(head(line), IDENT)
    assert not response._heads


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: SPDY/3.1"], b"spdy/3.1"),
        ([b"Connection: Upgrade"], b""),
        ([b"Upgrade: SPDY/3.1"], b""),
        ([], b""),
    ],
)
def test_upgrade(lines: list[bytes], upgrade: bytes) -> None:
    assert parse(*lines).upgrade == upgrade


def test_types() -> None:
    parsed = parse(b"Content-Type: Application/JSON ;a ", b"Content-Encoding: gzip")
    assert (parsed.content_type, parsed.encoded) == (b"application/json ;a", True)
    assert (parse().content_type, parse().encoded) == (b"", False)


def test_a_head_without_hop_by_hop_fields_passes_as_it_is() -> None:
    raw = head(b"content-length:  5 ", b"X-A: 1")
    assert parse_response(raw, IDENT).forwarded(raw) is raw


@pytest.mark.parametrize(
    "gone",
    [
        b"Connection: keep-alive",
        b"KEEP-ALIVE: timeout=5",
        b"Proxy-Authenticate: a",
        b"Proxy-Authorization: a",
        b"Proxy-Connection: a",
        b"TE: trailers",
        b"Trailer: X",
        b"Upgrade: h2c",
        b"Mca-Decision: forged",
        b"mca-anything: forged",
        b"X-A: 2\r\nconnection: x-a",
    ],
)
def test_what_is_hop_by_hop_or_ours_ends_here(gone: bytes) -> None:
    raw = head(b"X-B: 1", gone, b"Content-Length: 5")
    sent = parse_response(raw, IDENT).forwarded(raw, b"Mca-Decision: ours\r\n")
    assert sent == head(b"X-B: 1", b"Content-Length: 5", b"Mca-Decision: ours")


def test_extra_lines_go_last() -> None:
    raw = head(b"X-B: 1")
    assert parse_response(raw, IDENT).forwarded(raw, b"X-C: 2\r\n") == head(b"X-B: 1", b"X-C: 2")


# The memo: heads that differ in the audit id alone are judged once.


def test_heads_that_differ_in_the_echoed_id_are_one_entry() -> None:
    first = parse_response(head(b"Audit-Id: " + IDENT), IDENT)
    assert parse_response(head(b"Audit-Id: " + NEXT_IDENT), NEXT_IDENT) is first
    assert parse_response(head(b"Audit-Id: other"), NEXT_IDENT) is not first
    assert len(response._heads) == 2


def test_large_heads_are_not_remembered() -> None:
    parse(b"X-A: " + b"a" * 2048)
    assert not response._heads


def test_the_memo_is_bounded() -> None:
    for number in range(3000):
        parse(b"X-A: %d" % number)
    assert 0 < len(response._heads) <= 1024


LINES = st.sampled_from(
    [
        b"X-A: 1", b"X-%b: 1", b"%b: 1", b"mca-%b: forged", b"X-A: %b", b"X-A: a%bb",
        b"audit-id: %b", b"Audit-Id: %b", b"Audit-Id: %b%b", b"X-Audit-Id: %b",
        b"Connection: %b", b"Connection: close, %b", b"Content-Type: %b", b"Content-Length: 5",
        b"Content-Length: %b", b"Transfer-Encoding: chunked", b"Upgrade: %b",
        b"Connection: Upgrade", b"Content-Encoding: %b", b"Mca-Decision: %b", b"Keep-Alive: %b",
    ]
)  # fmt: skip


@given(st.lists(LINES, max_size=6), st.booleans())
@example([b"mca-%b: forged"], True)
@example([b"Connection: %b", b"%b: 1"], True)
@example([b"Audit-Id: %b", b"Connection: %b"], True)
def test_the_memo_is_not_fooled_by_an_id_elsewhere(lines: list[bytes], echoed: bool) -> None:
    """Whatever the id stands in, a head with the next id is judged as if it were the first."""

    def judge(ident: bytes) -> ResponseHead | None:
        written = ident if echoed else IDENT
        try:
            return parse_response(head(*(line.replace(b"%b", written) for line in lines)), ident)
        except ResponseError:
            return None

    response._heads.clear()
    judge(IDENT)
    after_another = judge(NEXT_IDENT)
    response._heads.clear()
    assert judge(NEXT_IDENT) == after_another


# llhttp reads the same


class Oracle:
    """What llhttp, strict as it comes, makes of a head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.complete = 0
        self.body = b""
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.whole = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


NAMES = st.sampled_from(
    [
        b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"Keep-Alive",
        b"Upgrade", b"Audit-Id", b"X-A", b"Content-Type", b"X_Y", b"Content-Length ", b"\tX",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [
            b"0", b"5", b"05", b"+5", b"5, 5", b"chunked", b"Chunked", b"gzip, chunked",
            b"identity", b"close", b"keep-alive", b"upgrade", b"x-a, close", b"\tspdy/3.1 ", b"",
        ]
    ),
    st.binary(max_size=8),
)  # fmt: skip
STATUSES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 404", b"HTTP/1.1 500 \xff", b"HTTP/1.1 200 "]
)
COLONS = st.sampled_from([b": ", b":", b":\t", b" :"])


@given(STATUSES, st.lists(st.builds(b"".join, st.tuples(NAMES, COLONS, VALUES)), max_size=5))
@example(b"HTTP/1.1 200 OK", [b"Transfer-Encoding: chunked"])
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 5"])
def test_what_is_accepted_is_the_same_answer_to_llhttp(status: bytes, lines: list[bytes]) -> None:
    raw = head(*lines, status=status)
    assume(raw.find(b"\r\n\r\n") + 4 == len(raw))  # as it is cut out of the stream
    try:
        parsed = parse_response(raw, IDENT)
    except ResponseError:
        return
    oracle = Oracle()
    body = b"5\r\nabcde\r\n0\r\n\r\n" if parsed.length == CHUNKED else b"abcde"[: parsed.length]
    try:
        oracle.parser.feed_data(raw)
        assert oracle.whole
        ours = [line.partition(b":") for line in raw[:-4].split(b"\r\n")[1:]]
        assert oracle.fields == [(name, value.strip(b" \t")) for name, _, value in ours]
        assert oracle.parser.get_status_code() == parsed.status
        assert oracle.complete == (parsed.length == 0)
        if parsed.length > 5:
            return
        oracle.parser.feed_data(body)
        assert oracle.complete == (parsed.length != UNTIL_CLOSE)
        if parsed.length == CHUNKED:
            assert oracle.body == b"abcde"
        if parsed.keep_alive:
            oracle.parser.feed_data(head(b"Content-Length: 0"))
            assert oracle.complete == 2
    except httptools.HttpParserUpgrade:
        assert parsed.upgrade
