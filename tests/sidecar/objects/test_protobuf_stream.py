"""Protobuf in pieces."""

import tracemalloc

import pytest
from hypothesis import given, strategies as st

from sidecar.objects.inspection import MAX_OBJECT_BYTES, Inspection, Transform, TransformError
from sidecar.objects.protobuf_stream import ProtobufAnswer, ProtobufWatch
from tests.sidecar.objects.messages import (
    MAGIC,
    a_list,
    a_status,
    an_object,
    envelope,
    event,
    field,
    integer,
    list_meta,
)

SIZES = st.lists(st.integers(0, 60))
OBJECTS = st.tuples(
    st.sampled_from(["team-a", "team-a", "team-a", "team-b", ""]),
    st.sampled_from(["5", "123456", "0", ""]),
    st.binary(max_size=300),
)
Described = tuple[str, str, bytes]


def pass_in_pieces(transform: Transform, content: bytes, sizes: list[int]) -> bytes:
    out = b""
    at = 0
    for size in sizes:
        out += transform.feed(content[at : at + size])
        at += size
    return out + transform.feed(content[at:]) + transform.finish()


def tag(version: str, code: int | None) -> str:
    return version + str(code) if code and version not in ("", "0") else version


def write(described: list[Described], code: int | None) -> list[bytes]:
    return [an_object(place, tag(version, code), spec) for place, version, spec in described]


@given(st.lists(OBJECTS, max_size=4), SIZES, st.sampled_from([None, 7421]))
def test_lists_pass(described: list[Described], sizes: list[int], code: int | None) -> None:
    content = envelope(a_list(*write(described, None), token="ab"), "PodList")
    transform = ProtobufAnswer(Inspection("team-a", code))
    if any(place != "team-a" for place, _, _ in described):
        with pytest.raises(TransformError, match="foreign namespace"):
            pass_in_pieces(transform, content, sizes)
        return
    token = f"{code}.ab" if code else "ab"
    tagged = a_list(*write(described, code), version=tag("9", code), token=token)
    assert pass_in_pieces(transform, content, sizes) == envelope(tagged, "PodList")


@given(st.lists(OBJECTS, max_size=4), SIZES, st.sampled_from([None, 7421]))
def test_watches_pass(described: list[Described], sizes: list[int], code: int | None) -> None:
    content = b"".join(event("ADDED", envelope(found)) for found in write(described, None))
    transform = ProtobufWatch(Inspection("team-a", code, True))
    if any(place != "team-a" for place, _, _ in described):
        with pytest.raises(TransformError, match="foreign namespace"):
            pass_in_pieces(transform, content, sizes)
        return
    expected = b"".join(event("ADDED", envelope(found)) for found in write(described, code))
    assert pass_in_pieces(transform, content, sizes) == expected


@pytest.mark.parametrize(
    "content",
    [
        envelope(an_object()),
        envelope(an_object(spec=b"\xff" * 5000)),
        envelope(a_status(), "Status"),
        envelope(a_list(an_object(), an_object(spec=b"\xff" * 3000)), "PodList"),
        envelope(a_list(), "PodList"),
        envelope(b"", "PodList"),
        envelope(a_list(an_object()), "PodList") + field(4, b"application/json"),
        MAGIC + field(2, a_list(an_object())) + field(1, field(1, b"v1") + field(2, b"PodList")),
        MAGIC + field(4, b"") + envelope(a_list(an_object()), "PodList")[4:-4],
        envelope(field(1, list_meta()) + field(9, b"more"), "PodList"),
    ],
)
def test_answers_split_at_every_byte(content: bytes) -> None:
    for at in range(0, len(content), max(1, len(content) // 500)):
        transform = ProtobufAnswer(Inspection("team-a"))
        assert pass_in_pieces(transform, content, [at]) == content
    whole = pass_in_pieces(ProtobufAnswer(Inspection("team-a")), content, [1] * len(content))
    assert whole == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"k8s\x00",
        b"JUNK" + envelope(a_list(an_object()), "PodList")[4:],
        envelope(a_list(an_object()), "PodList")[:-5],
        envelope(a_list(an_object()), "PodList") + field(2, a_list(an_object("team-b"))),
        envelope(a_list(an_object()), "PodList") + field(1, b""),
        envelope(a_list(an_object()), "PodList") + field(3, b"gzip"),
        envelope(a_list(an_object()), "PodList") + b"\x0a",
        envelope(a_list(an_object()) + b"\x12\x50ab", "PodList"),  # longer than its list
        envelope(a_list(an_object()) + b"\x12", "PodList"),
        envelope(field(1, list_meta()) * 2, "PodList"),
        envelope(field(1, list_meta()) + integer(2, 5), "PodList"),
        envelope(a_list(b"\xff"), "PodList"),
        envelope(an_object())[:-5],
    ],
)
def test_what_two_readers_could_read_differently_is_refused(content: bytes) -> None:
    for sizes in ([], [1] * len(content)):
        for code in (None, 7421):
            with pytest.raises(TransformError):
                pass_in_pieces(ProtobufAnswer(Inspection("team-a", code)), content, sizes)


def test_little_stands_behind_a_list() -> None:
    transform = ProtobufAnswer(Inspection("team-a"))
    with pytest.raises(TransformError):
        transform.feed(envelope(a_list(an_object()), "PodList") + field(4, b"x" * 2000))


@pytest.mark.parametrize("kind", ["object", "item", "tagged list", "event"])
def test_what_is_over_the_limit_is_refused_before_its_end(kind: str) -> None:
    large = an_object(spec=bytes(MAX_OBJECT_BYTES))
    transform: Transform = ProtobufAnswer(Inspection("team-a"))
    content = envelope(large)
    if kind == "item":
        content = envelope(a_list(large), "PodList")
    elif kind == "tagged list":
        transform = ProtobufAnswer(Inspection("team-a", 7421))
        content = envelope(a_list(*[an_object(spec=bytes(300_000))] * 11), "PodList")
    elif kind == "event":
        transform = ProtobufWatch(Inspection("team-a", None, True))
        content = event("ADDED", content)
    with pytest.raises(TransformError, match="larger than 3 MiB"):
        pass_in_pieces(transform, content[:-1], [16384] * 500)


def test_a_list_passes_in_constant_memory() -> None:
    peaks = []
    for count in (1_000, 10_000):
        item = field(2, an_object(spec=b"a" * 1000))
        head = envelope(field(1, list_meta()) + item * count, "PodList")[:-4]
        head = head[: len(head) - len(item) * count]
        transform = ProtobufAnswer(Inspection("team-a"))
        tracemalloc.start()
        passed = len(transform.feed(head))
        for _ in range(count):
            passed += len(transform.feed(item))
        passed += len(transform.feed(field(3, b"") + field(4, b""))) + len(transform.finish())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert passed == len(head) + len(item) * count + 4
    assert peaks[1] < 1.5 * peaks[0]


def test_a_large_item_in_small_pieces_is_looked_at_once() -> None:
    content = envelope(a_list(an_object(spec=bytes(2_000_000))), "PodList")
    assert pass_in_pieces(ProtobufAnswer(Inspection("team-a")), content, [100] * 20_000) == content


@pytest.mark.parametrize(
    "content",
    [
        event("ADDED", envelope(a_status(), "Status")),
        event("SYNC", envelope(an_object())),
        event("BOOKMARK", envelope(an_object("team-b"))),
        event("ERROR", envelope(an_object("team-b"))),
        event("ADDED", b""),
        event("\xff", envelope(an_object())),
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x01\xff",
        b"\x00\x00\x00\x07" + field(1, b"ADDED"),
    ],
)
def test_an_event_that_is_not_as_the_server_writes_it_is_refused(content: bytes) -> None:
    with pytest.raises(TransformError):
        ProtobufWatch(Inspection("team-a", None, True)).feed(content)


def test_an_event_with_a_field_too_many_is_refused() -> None:
    sound = field(1, b"ADDED") + field(2, field(1, envelope(an_object())))
    for content in (
        sound + field(1, b"ERROR"),
        sound + field(3, b""),
        field(1, b"ADDED") + field(2, field(1, envelope(an_object())) + field(1, b"")),
        field(1, b"ADDED") + field(2, integer(1, 5)),
        field(1, b"ADDED") + field(2, field(2, envelope(an_object()))),
    ):
        frame = len(content).to_bytes(4, "big") + content
        with pytest.raises(TransformError):
            ProtobufWatch(Inspection("team-a", None, True)).feed(frame)


def test_bookmarks_and_errors_pass() -> None:
    def bookmark(version: str) -> bytes:
        return event("BOOKMARK", envelope(an_object("", version)))

    error = event("ERROR", envelope(a_status(), "Status"))
    watch = ProtobufWatch(Inspection("team-a", 7421, True))
    assert watch.feed(bookmark("5") + error) == bookmark("57421") + error
    assert watch.finish() == b""


def test_a_watch_that_ends_inside_an_event_is_no_end() -> None:
    watch = ProtobufWatch(Inspection("team-a", None, True))
    assert watch.feed(event("ADDED", envelope(an_object()))[:-1]) == b""
    with pytest.raises(TransformError, match="ends inside an event"):
        watch.finish()
