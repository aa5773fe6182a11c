import pytest

from sidecar.grammar import CHUNKED, FIELD, Fields, parse_body_length, parse_connection


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"Host: a", b"Host", b"a"),
        (b"Host:a", b"Host", b"a"),
        (b"Host: \t a b ", b"Host", b"a b "),
        (b"Host:", b"Host", b""),
        (b"!#$%&'*+-.^_`|~09AZaz: \x80\xff\t~", b"!#$%&'*+-.^_`|~09AZaz", b"\x80\xff\t~"),
    ],
)
def test_a_field(line: bytes, name: bytes, value: bytes) -> None:
    match = FIELD.fullmatch(line)
    assert match is not None
    assert (match[1], match[2]) == (name, value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b": a",
        b"Host",
        b"Host : a",
        b" Host: a",
        b"\tfolded",
        b"Ho st: a",
        b"H\xf6st: a",
        b"Host: a\r",
        b"Host: a\n",
        b"Host: a\rX: b",
        b"Host: a\nX: b",
        b"Host: a\x00",
        b"Host: a\x7f",
        b"Host: \x0b",
        b"H@st: a",
        b"Host\x00: a",
    ],
)
def test_no_field(line: bytes) -> None:
    assert FIELD.fullmatch(line) is None


def test_every_byte_in_a_name_and_in_a_value() -> None:
    """RFC 9110, 5.1 and 5.5: token; VCHAR, obs-text, SP and HTAB."""
    token = set(b"!#$%&'*+-.^_`|~0123456789")
    token |= set(range(ord("a"), ord("z") + 1)) | set(range(ord("A"), ord("Z") + 1))
    value = {0x09} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100))
    for byte in range(256):
        name = FIELD.fullmatch(b"a%c: x" % byte)
        # "a:: x" is the field "a" with the value ": x".
        assert (name is not None) == (byte in token or byte == ord(":")), byte
        assert (FIELD.fullmatch(b"a: x%cx" % byte) is not None) == (byte in value), byte


@pytest.mark.parametrize(
    ("values", "tokens"),
    [
        (None, set()),
        ([b""], {b""}),
        ([b"close"], {b"close"}),
        ([b"Keep-Alive,\tUpgrade ", b"X-A"], {b"keep-alive", b"upgrade", b"x-a"}),
    ],
)
def test_connection_tokens(values: list[bytes] | None, tokens: set[bytes]) -> None:
    assert parse_connection({b"connection": values} if values else {}) == tokens


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({}, None),
        ({b"content-length": [b"0"]}, 0),
        ({b"content-length": [b"0012"]}, 12),
        ({b"content-length": [b"9" * 18]}, 10**18 - 1),
        ({b"transfer-encoding": [b"chunked"]}, CHUNKED),
        ({b"transfer-encoding": [b"Chunked"]}, CHUNKED),
    ],
)
def test_body_length(fields: Fields, length: int | None) -> None:
    assert parse_body_length(fields) == length


@pytest.mark.parametrize(
    "fields",
    [
        {b"content-length": [b"1", b"1"]},
        {b"content-length": [b"1,1"]},
        {b"content-length": [b""]},
        {b"content-length": [b"+1"]},
        {b"content-length": [b"-1"]},
        {b"content-length": [b"1_0"]},
        {b"content-length": [b"0x1"]},
        {b"content-length": [b"1 "]},
        {b"content-length": [b"1\n"]},
        {b"content-length": ["\u0661".encode()]},
        {b"content-length": [b"9" * 19]},
        {b"transfer-encoding": [b"chunked"], b"content-length": [b"1"]},
        {b"transfer-encoding": [b"chunked", b"chunked"]},
        {b"transfer-encoding": [b"gzip, chunked"]},
        {b"transfer-encoding": [b"chunked, identity"]},
        {b"transfer-encoding": [b"\x0bchunked"]},
        {b"transfer-encoding": [b"identity"]},
        {b"transfer-encoding": [b""]},
    ],
)
def test_framing_that_could_be_read_two_ways(fields: Fields) -> None:
    with pytest.raises(ValueError, match=r"twice|two ways"):
        parse_body_length(fields)
