import pytest
from hypothesis import given, strategies as st

from sidecar.watch_frames import JsonLines, LengthPrefixed, watch_frames

PLACES = st.lists(st.integers(0, 200), max_size=20)


def cut(size: int, places: list[int]) -> list[tuple[int, int]]:
    ends = sorted({place % (size + 1) for place in places})
    return list(zip([0, *ends], [*ends, size], strict=True))


@given(st.lists(st.binary(max_size=20), max_size=6), PLACES)
def test_length_prefixed_events_in_any_pieces(events: list[bytes], places: list[int]) -> None:
    stream, boundaries = b"", {0}
    for event in events:
        stream += len(event).to_bytes(4, "big") + event
        boundaries.add(len(stream))
    frames = LengthPrefixed()
    assert frames.at_boundary
    for start, end in cut(len(stream), places):
        frames.feed(stream[start:end])
        assert frames.at_boundary == (end in boundaries)


@given(st.lists(st.sampled_from([b'{"a":1}', b"{}", b""]), max_size=6), PLACES)
def test_json_lines_in_any_pieces(events: list[bytes], places: list[int]) -> None:
    stream = b"".join(event + b"\n" for event in events)
    frames = JsonLines()
    assert frames.at_boundary
    for start, end in cut(len(stream), places):
        frames.feed(stream[start:end])
        assert frames.at_boundary == (end == 0 or stream[end - 1] == ord("\n"))


def test_a_length_of_four_bytes_counts_as_unsigned() -> None:
    frames = LengthPrefixed()
    frames.feed(b"\xff\xff\xff\xff" + b"a" * 1000)
    assert not frames.at_boundary


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        (b"application/json", JsonLines),
        (b"application/json;stream=watch", JsonLines),
        (b"application/json ; charset=utf-8", JsonLines),
        (b"application/vnd.kubernetes.protobuf;stream=watch", LengthPrefixed),
        (b"application/vnd.kubernetes.protobuf", LengthPrefixed),
        (b"application/cbor-seq", type(None)),
        (b"application/json-patch+json", type(None)),
        (b"text/plain", type(None)),
        (b"", type(None)),
    ],
)
def test_the_framing_of_a_content_type(content_type: bytes, kind: type) -> None:
    assert type(watch_frames(content_type)) is kind
