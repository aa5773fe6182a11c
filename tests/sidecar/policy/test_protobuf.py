"""tests/oracle holds this walk against the server's own protobuf decoder, in volume."""

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.protobuf import open_envelope, values_at


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.mark.parametrize(
    ("message", "path", "values"),
    [
        (b"", (1,), []),
        (field(1, b"a"), (1,), [b"a"]),
        (field(1, b""), (1,), [b""]),
        (field(1, b"a"), (2,), []),
        (field(1, b"a") + field(1, b"b"), (1,), [b"a", b"b"]),
        (field(2, field(1, b"a")) + field(2, field(1, b"b")), (2, 1), [b"a", b"b"]),
        (field(2, field(1, b"a")), (), [field(2, field(1, b"a"))]),
        # Other wire types are passed over.
        (b"\x08\x96\x01" + field(2, b"a"), (2,), [b"a"]),
        (b"\x09" + bytes(8) + b"\x0d" + bytes(4) + field(2, b"a"), (2,), [b"a"]),
        (b"\x10\x07", (2,), []),
        # Over-long varints are read as the server reads them.
        (b"\x8a\x80\x00\x81\x80\x00a", (1,), [b"a"]),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", (1,), []),
        (b"\x92\x02\x01a", (34,), [b"a"]),
    ],
)
def test_values_are_found_through_every_occurrence(
    message: bytes, path: tuple[int, ...], values: list[bytes]
) -> None:
    assert values_at([message], path) == values


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\x0a", "does not end"),
        (b"\x0a\x02a", "cut off"),
        (b"\x09" + bytes(7), "cut off"),
        (b"\x0d" + bytes(3), "cut off"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cut off"),
        (b"\x08\x80", "does not end"),
        (b"\x08" + b"\x80" * 10 + b"\x00", "does not end"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "does not end"),
        (b"\x08\x01" * 50_001, "too many"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0c", "wire type 4"),
        (b"\x0e", "wire type 6"),
        (b"\x02\x00", "out of range"),
        (b"\x8a\x80\x80\x80\x80\x01\x01a", "out of range"),
    ],
)
def test_what_could_be_read_otherwise_is_refused(message: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        values_at([message], (1,))


def test_the_envelope_holds_exactly_one_message() -> None:
    type_meta = field(1, field(1, b"v1") + field(2, b"Secret"))
    assert open_envelope(b"k8s\x00" + type_meta + field(2, b"raw")) == [b"raw"]
    assert open_envelope(b"k8s\x00" + field(3, b"") + field(2, b"raw") + field(4, b"x")) == [b"raw"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin"),
        (b"k8s", "does not begin"),
        (b'{"kind":"Secret"}', "does not begin"),
        (b"k8s\x00", "exactly one"),
        # The server takes the last one, however harmless the first.
        (b"k8s\x00" + field(2, b"a") + field(2, b"b"), "exactly one"),
        (b"k8s\x00" + field(2, b"a") + field(3, b"gzip"), "content encoding"),
        (b"k8s\x00" + field(2, b"a")[:-1], "cut off"),
    ],
)
def test_other_envelopes_are_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        open_envelope(content)


@given(st.binary(max_size=60), st.lists(st.integers(1, 40), max_size=3))
def test_any_bytes_are_walked_or_refused(content: bytes, path: list[int]) -> None:
    try:
        values = values_at([content], tuple(path))
    except ValueError:
        return
    assert all(value in content for value in values)
