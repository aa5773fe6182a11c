"""Framing against a decoder that sees the whole body at once, whatever the pieces are."""

import re
from typing import NamedTuple

import pytest
from hypothesis import example, given, strategies as st

from sidecar.chunks import Body, ChunkedBody, EndlessBody, FramingError, LengthBody, request_body
from sidecar.grammar import CHUNKED

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_TRAILERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n")


class Gathered:
    """What a listener heard."""

    def __init__(self) -> None:
        self.content = b""

    def feed(self, payload: bytes) -> None:
        self.content += payload


class Decoded(NamedTuple):
    """A whole body: what it says, what goes on, what comes after it."""

    payload: bytes
    frames: bytes
    rest: bytes


def decode(data: bytes) -> Decoded | None:
    """RFC 9112, 7.1, without extensions; None where `data` does not begin with a whole body."""
    at, payload, size = 0, b"", -1
    while size:
        line = _CHUNK.match(data, at)
        if line is None:
            return None
        size = int(line[1], 16)
        at = line.end()
        if size:
            payload += data[at : at + size]
            at += size + 2
            if data[at - 2 : at] != b"\r\n":
                return None
    trailers = _TRAILERS.match(data, at)
    return Decoded(payload, data[:at] + b"\r\n", data[trailers.end() :]) if trailers else None


def feed_pieces(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """As a connection does: what comes after the end is not the body's business."""
    forwarded = rest = b""
    for piece in pieces:
        if body.done:
            rest += piece
        else:
            forward, rest = body.feed(piece)
            forwarded += forward
            assert not rest or body.done
    return forwarded, rest


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places})
    return [
        data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)
    ]  # fmt: skip


def render(chunks: list[bytes], sizes: str, trailers: list[bytes]) -> bytes:
    body = b"".join(
        sizes.format(len(chunk)).encode() + b"\r\n" + chunk + b"\r\n" for chunk in chunks
    )
    return body + b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"


PLACES = st.lists(st.integers(0, 2000), max_size=12)
CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
SIZES = st.sampled_from(["{:x}", "{:X}", "{:04x}", "{:015x}"])
TRAILERS = st.lists(
    st.sampled_from([b"a:", b"Checksum: 1", b"Content-Length: 9", b"x: \xff\t"]), max_size=3
)
BODIES = st.builds(render, CHUNKS, SIZES, TRAILERS)
RESTS = st.sampled_from([b"", b"\r\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])


@given(BODIES, RESTS, PLACES)
def test_a_chunked_body_in_any_pieces(body: bytes, rest: bytes, places: list[int]) -> None:
    told = decode(body + rest)
    assert told is not None
    heard = Gathered()
    chunked = ChunkedBody(heard)
    forwarded = feed_pieces(chunked, cut(body + rest, places))
    assert chunked.done
    assert forwarded == (told.frames, rest)
    assert heard.content == told.payload


def outcome(pieces: list[bytes]) -> tuple[bool, bytes, bytes, bytes] | None:
    heard = Gathered()
    body = ChunkedBody(heard)
    try:
        forwarded, rest = feed_pieces(body, pieces)
    except FramingError:
        return None
    return body.done, forwarded, rest, heard.content


@given(
    BODIES,
    st.integers(0, 2000),
    st.integers(0, 3),
    st.sampled_from(
        [b"", b"\r", b"\n", b"\r\n", b"0", b"5;a=b", b" ", b"\x00", b":", b"\xff", b"f"]
    ),
    PLACES,
)
@example(b"0\r\na:\r\n\r\n", 5, 1, b"", [])
def test_a_body_that_was_tampered_with(
    body: bytes, place: int, removed: int, put: bytes, places: list[int]
) -> None:
    """It ends where the decoder ends it, or not at all; pieces make no difference."""
    place %= len(body) + 1
    data = body[:place] + put + body[place + removed :]
    whole = outcome([data])
    assert outcome(cut(data, places)) == whole
    assert outcome([data[at : at + 1] for at in range(len(data))]) == whole
    told = decode(data)
    if told is None:
        assert whole is None or not whole[0]
    else:
        assert whole == (True, told.frames, told.rest, told.payload)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b"1;a=b\r\n",
        b"1;\n",
        b"1\n",
        b"1\rX",
        b"1" * 16,
        b"1" * 16 + b"\r\n",
        b"2\r\nabc",
        b"2\r\nab\n",
        b"2\r\nab\rX",
        b"0\r\nfolded\r\n\r\n",
        b"0\r\n folded: a\r\n\r\n",
        b"0\r\na: \x00\r\n\r\n",
        b"0\r\na: b\n\r\n",
        b"0\r\n\n",
        b"0\r\n: a\r\n\r\n",
    ],
)
def test_malformed_chunks_are_refused(data: bytes) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        with pytest.raises(FramingError):
            feed_pieces(ChunkedBody(), pieces)


@pytest.mark.parametrize(
    "trailer",
    [b"a: b\r\n" * 1366, b"a:" + b"b" * 8200, b"a:" + b"b" * 8200 + b"\r\n"],
    ids=["lines", "half a line", "a line"],
)
def test_a_long_trailer_is_refused(trailer: bytes) -> None:
    with pytest.raises(FramingError, match="long"):
        ChunkedBody().feed(b"0\r\n" + trailer)


def test_a_trailer_as_long_as_may_be() -> None:
    body = ChunkedBody()
    assert body.feed(b"0\r\n" + b"a: b\r\n" * 1365 + b"\r\nrest") == (b"0\r\n\r\n", b"rest")
    assert body.done


def test_a_trailer_that_drips_ends() -> None:
    body = ChunkedBody()
    body.feed(b"0\r\n")
    with pytest.raises(FramingError, match="long"):
        feed_pieces(body, [b""] * 10_000)


def test_between_chunks() -> None:
    """Where a frame of our own may stand: nowhere inside of one, nor in a begun size."""
    body = ChunkedBody()
    between = []
    for byte in b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n":
        between.append(body.between_chunks)
        body.feed(bytes([byte]))
        assert body.unseen >= 0
    at = [index for index, free in enumerate(between) if free]
    assert at == [0, 7, 13]
    assert not body.between_chunks


@given(st.binary(max_size=60), st.integers(0, 70), PLACES)
def test_a_body_of_known_length(data: bytes, length: int, places: list[int]) -> None:
    heard = Gathered()
    body = LengthBody(length, heard)
    assert feed_pieces(body, cut(data, places)) == (data[:length], data[length:])
    assert body.done == (len(data) >= length)
    assert heard.content == data[:length]


@given(st.binary(max_size=60), PLACES)
def test_a_body_without_an_end(data: bytes, places: list[int]) -> None:
    heard = Gathered()
    for body in (EndlessBody(heard), EndlessBody()):
        assert feed_pieces(body, cut(data, places)) == (data, b"")
        assert not body.done
        assert body.unseen == 0
    assert heard.content == data


def pass_mixed(body: Body, data: bytes, steps: list[tuple[bool, int]]) -> tuple[bytes, bytes]:
    """Some of it unseen, as far as the body allows, the rest through `feed`."""
    forwarded = rest = b""
    at = 0
    for unseen, wanted in [*steps, (False, len(data))]:
        if body.done:
            break
        size = min(wanted, len(data) - at)
        if unseen:
            size = min(size, body.unseen)
            assert size >= 0
            body.skip(size)
            forwarded += data[at : at + size]
            assert not body.done
        else:
            forward, rest = body.feed(data[at : at + size])
            forwarded += forward
        at += size
    return forwarded, rest + data[at:]


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=20)
LONG_BODIES = st.builds(
    render, st.lists(st.binary(min_size=1, max_size=300), max_size=4), SIZES, TRAILERS
)


@given(LONG_BODIES, RESTS, STEPS)
def test_chunks_that_pass_unseen(body: bytes, rest: bytes, steps: list[tuple[bool, int]]) -> None:
    told = decode(body + rest)
    assert told is not None
    chunked = ChunkedBody()
    assert pass_mixed(chunked, body + rest, steps) == (told.frames, rest)
    assert chunked.done


@given(st.binary(min_size=1, max_size=300), RESTS, STEPS)
def test_a_known_length_that_passes_unseen(
    data: bytes, rest: bytes, steps: list[tuple[bool, int]]
) -> None:
    body = LengthBody(len(data))
    assert pass_mixed(body, data + rest, steps) == (data, rest)
    assert body.done


def test_the_end_is_never_unseen() -> None:
    body = LengthBody(3)
    body.skip(body.unseen)
    assert (body.unseen, body.done) == (0, False)
    assert body.feed(b"cd") == (b"c", b"d")
    assert body.done

    chunked = ChunkedBody()
    assert chunked.unseen == 0
    chunked.feed(b"3\r\n")
    chunked.skip(chunked.unseen)
    assert (chunked.unseen, chunked.done) == (0, False)
    assert chunked.feed(b"c") == (b"c", b"")
    assert chunked.unseen == 0
    assert chunked.feed(b"\r\n") == (b"\r\n", b"")
    assert chunked.between_chunks


def test_a_listener_sees_all() -> None:
    """A body that somebody listens to has nothing that may pass unseen."""
    assert LengthBody(100, Gathered()).unseen == 0
    chunked = ChunkedBody(Gathered())
    chunked.feed(b"64\r\n")
    assert chunked.unseen == 0


def test_a_skip_in_an_endless_body_changes_nothing() -> None:
    body = EndlessBody()
    body.skip(0)
    assert body.feed(b"a") == (b"a", b"")


@pytest.mark.parametrize(
    ("length", "data", "done"),
    [(CHUNKED, b"1\r\na\r\n0\r\n\r\n", True), (1, b"a", True), (2, b"a", False)],
)
def test_the_framing_of_a_request(length: int, data: bytes, done: bool) -> None:
    heard = Gathered()
    body = request_body(length, heard)
    assert body.feed(data) == (data, b"")
    assert body.done is done
    assert heard.content == b"a"


def test_an_empty_body_has_ended_already() -> None:
    assert request_body(0).done
