import pytest
from hypothesis import given, strategies as st

from sidecar.objects.inspection import TransformError
from sidecar.objects.wire import BYTES, CutError, fields, only, read_field, read_varint, write_field
from tests.sidecar.objects.messages import field, integer, number


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_read_as_they_are_written(value: int) -> None:
    message = b"x" + number(value) + b"y"
    assert read_varint(message, 1, len(message)) == (value, len(message) - 1)


@pytest.mark.parametrize("content", [b"\xff" * 10 + b"\x01", b"\xff" * 9 + b"\x02"])
def test_a_number_over_64_bits_is_refused(content: bytes) -> None:
    with pytest.raises(TransformError) as caught:
        read_varint(content, 0, len(content))
    assert not isinstance(caught.value, CutError)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 9])
def test_a_number_that_goes_on_may_come(content: bytes) -> None:
    with pytest.raises(CutError):
        read_varint(content, 0, len(content))


def test_fields_are_told_with_their_places() -> None:
    message = integer(7, 300) + field(2, b"ab") + b"\x1d1234" + b"\x2112345678" + field(999, b"")
    assert list(fields(message, 0, len(message))) == [
        (7, 0, 0, 1, 3),
        (2, BYTES, 3, 5, 7),
        (3, 5, 7, 8, 12),
        (4, 1, 12, 13, 21),
        (999, BYTES, 21, 24, 24),
    ]


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.binary(max_size=200))))
def test_all_fields_are_told(pairs: list[tuple[int, bytes]]) -> None:
    message = b"".join(field(place, content) for place, content in pairs)
    told = [(found[0], message[found[3] : found[4]]) for found in fields(message, 0, len(message))]
    assert told == pairs


@given(st.binary(max_size=40))
def test_whatever_comes_is_walked_to_its_end_or_refused(message: bytes) -> None:
    at = 0
    try:
        for found in fields(message, 0, len(message)):
            assert found[2] == at < found[3] <= found[4] <= len(message)
            at = found[4]
    except TransformError:
        return
    assert at == len(message)


@pytest.mark.parametrize(
    "message",
    [
        b"\x00\x01",  # number 0
        b"\x0b\x0c",  # a group
        b"\x0e",
        b"\x0f",
        b"\x8a\x80\x80\x80\x10\x00",  # 2**32 + 10, which Go reads as field 1
        b"\x0a\x02a",  # cut
        b"\x09aaaa",
        b"\x0a",
        b"\x08\x80",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
    ],
)
def test_what_the_server_could_read_differently_is_refused(message: bytes) -> None:
    with pytest.raises(TransformError):
        list(fields(message, 0, len(message)))


def test_too_many_fields_are_refused() -> None:
    message = integer(1, 1) * 50_001
    with pytest.raises(TransformError, match="too many fields"):
        list(fields(message, 0, len(message)))


def test_a_field_may_reach_beyond_what_is_there() -> None:
    assert read_field(b"\x0a\x09a", 0, 3) == (1, BYTES, 0, 2, 11)


def test_what_must_not_come_twice() -> None:
    found = {1: (1, BYTES, 0, 2, 4)}
    only(found, (2, BYTES, 4, 6, 8))
    assert found.keys() == {1, 2}
    for repeated in ((1, BYTES, 8, 10, 12), (3, 0, 8, 9, 10)):
        with pytest.raises(TransformError):
            only(found, repeated)


@given(st.integers(1, 15), st.binary(max_size=300))
def test_fields_are_written_as_go_writes_them(place: int, content: bytes) -> None:
    assert write_field(place, content) == field(place, content)
