"""JSON in pieces, against a reference that parses the whole."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar.objects.inspection import MAX_OBJECT_BYTES, Inspection, Transform, TransformError
from sidecar.objects.json_stream import JsonAnswer, JsonWatch

NAMESPACES = st.sampled_from(["team-a", "team-a", "team-a", "team-b", None])
TEXTS = st.sampled_from(["", "a", "ü", "\U0001f600", '"', "\\", "}", '"items":[', "\n"])
VERSIONS = st.sampled_from(["5", "12345678", "0", ""])


@st.composite
def metadata(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {draw(TEXTS): draw(TEXTS), "resourceVersion": draw(VERSIONS)}
    namespace = draw(NAMESPACES)
    if namespace is not None:
        found["namespace"] = namespace
    return dict(draw(st.permutations(list(found.items()))))


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    found = {"spec": draw(st.lists(TEXTS)), "metadata": draw(metadata())}
    return dict(draw(st.permutations(list(found.items()))))


@st.composite
def lists(draw: st.DrawFn) -> dict[str, Any]:
    found = {
        "kind": "FooList",
        "metadata": {
            "resourceVersion": draw(VERSIONS),
            "continue": draw(st.sampled_from(["", "t"])),
        },
        "items": draw(st.lists(objects(), max_size=4)),
    }
    return dict(draw(st.permutations(list(found.items()))))


def render(document: Any, style: tuple[int | None, bool]) -> bytes:
    separators = (",", ":") if style[0] is None else None
    text = json.dumps(document, indent=style[0], ensure_ascii=style[1], separators=separators)
    return text.encode()


STYLES = st.tuples(st.sampled_from([None, 0, 2]), st.booleans())


def pass_in_pieces(transform: Transform, content: bytes, sizes: list[int]) -> bytes:
    out = b""
    at = 0
    for size in sizes:
        out += transform.feed(content[at : at + size])
        at += size
    return out + transform.feed(content[at:]) + transform.finish()


def tag_all(document: dict[str, Any], code: int | None) -> dict[str, Any]:
    """The reference; ValueError for what is foreign."""
    changed = dict(document)
    if "items" in document:
        changed["items"] = [tag_one(item, code) for item in document["items"]]
        changed["metadata"] = tag_metadata(document["metadata"], code)
        return changed
    return tag_one(document, code)


def tag_one(document: dict[str, Any], code: int | None) -> dict[str, Any]:
    if document["metadata"].get("namespace") != "team-a":
        raise ValueError
    return {**document, "metadata": tag_metadata(document["metadata"], code)}


def tag_metadata(found: dict[str, Any], code: int | None) -> dict[str, Any]:
    changed = dict(found)
    if code is not None:
        if found["resourceVersion"] not in ("", "0"):
            changed["resourceVersion"] += str(code)
        if found.get("continue"):
            changed["continue"] = f"{code}.{found['continue']}"
    return changed


@given(lists() | objects(), STYLES, st.lists(st.integers(0, 40)), st.sampled_from([None, 7421]))
def test_answers_pass_as_the_reference_has_them(
    document: dict[str, Any], style: tuple[int | None, bool], sizes: list[int], code: int | None
) -> None:
    content = render(document, style) + b"\n"
    transform = JsonAnswer(Inspection("team-a", code))
    try:
        expected = tag_all(document, code)
    except ValueError:
        with pytest.raises(TransformError, match="foreign namespace"):
            pass_in_pieces(transform, content, sizes)
        return
    assert pass_in_pieces(transform, content, sizes) == render(expected, style) + b"\n"


@given(
    st.lists(st.tuples(st.sampled_from(["ADDED", "MODIFIED", "DELETED"]), objects())),
    st.booleans(),
    st.lists(st.integers(0, 40)),
    st.sampled_from([None, 7421]),
)
def test_watches_pass_as_the_reference_has_them(
    events: list[tuple[str, dict[str, Any]]], ascii_only: bool, sizes: list[int], code: int | None
) -> None:
    def join(documents: list[dict[str, Any]]) -> bytes:
        return b"".join(render(document, (None, ascii_only)) + b"\n" for document in documents)

    content = join([{"type": kind, "object": found} for kind, found in events])
    transform = JsonWatch(Inspection("team-a", code, True))
    try:
        expected = [{"type": kind, "object": tag_one(found, code)} for kind, found in events]
    except ValueError:
        with pytest.raises(TransformError, match="foreign namespace"):
            pass_in_pieces(transform, content, sizes)
        return
    assert pass_in_pieces(transform, content, sizes) == join(expected)


def a_pod(number: int, size: int = 10) -> dict[str, Any]:
    found = {"name": f"p-{number}", "namespace": "team-a", "resourceVersion": str(number)}
    return {"metadata": found, "data": "ü" * size}


def test_a_document_splits_at_every_byte() -> None:
    document = {"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [a_pod(7)] * 2}
    content = render(document, (None, False))
    expected = render(tag_all(document, 7421), (None, False))
    for at in range(len(content)):
        transform = JsonAnswer(Inspection("team-a", 7421))
        transform._due = 1  # look at every piece, as at those of a large list
        assert pass_in_pieces(transform, content, [at]) == expected
    whole = JsonAnswer(Inspection("team-a", 7421))
    whole._due = 1
    assert pass_in_pieces(whole, content, [1] * len(content)) == expected


def test_a_list_passes_in_constant_memory() -> None:
    """Ten times the items, the same memory; and none of a list is held until its end."""
    peaks = []
    for count in (2_000, 20_000):
        transform = JsonAnswer(Inspection("team-a", 7421))
        tracemalloc.start()
        transform.feed(b'{"kind":"PodList","items":[')
        passed = 0
        for number in range(count):
            item = json.dumps(a_pod(number, 100)).encode()
            passed += len(transform.feed(item if number == count - 1 else item + b","))
        passed += len(transform.feed(b"]}")) + len(transform.finish())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert passed > count * 100
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize("kind", ["object", "list", "watch"])
def test_an_object_over_the_limit_is_refused(kind: str) -> None:
    """Before it has come to its end, too."""
    item = json.dumps(a_pod(1, MAX_OBJECT_BYTES)).encode()[:-1]
    transform: Transform = JsonAnswer(Inspection("team-a"))
    if kind == "list":
        item = b'{"kind":"PodList","items":[' + item
    elif kind == "watch":
        transform = JsonWatch(Inspection("team-a", None, True))
        item = b'{"type":"ADDED","object":' + item
    with pytest.raises(TransformError, match="larger than 3 MiB"):
        pass_in_pieces(transform, item, [16384] * 500)
    if kind == "watch":
        with pytest.raises(TransformError, match="larger than 3 MiB"):
            JsonWatch(Inspection("team-a", None, True)).feed(item + b"}}\n")


def test_an_object_that_is_almost_too_large_passes() -> None:
    content = json.dumps(a_pod(1, MAX_OBJECT_BYTES // 6 - 100)).encode()
    assert len(content) > MAX_OBJECT_BYTES - 1000
    transform = JsonAnswer(Inspection("team-a"))
    assert pass_in_pieces(transform, content, [16384] * 200) == content


def test_many_fields_of_one_object_are_bounded_together() -> None:
    field = b'"f%d":"' + b"a" * 100_000 + b'",'
    transform = JsonAnswer(Inspection("team-a"))
    with pytest.raises(TransformError, match="larger than 3 MiB"):
        transform.feed(b"{" + b"".join(field % number for number in range(40)))


OUR = b'{"metadata":{"namespace":"team-a"}}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        OUR[:-1],
        OUR + b"x",
        OUR + OUR,
        OUR + b"\xa0",
        b"\xef\xbb\xbf" + OUR,
        b'{"a":"\xff","metadata":{"namespace":"team-a"}}',
        b'{"a":"\xc0\xa2","metadata":{"namespace":"team-a"}}',  # an over-long quote
        b'{"a":"\xed\xa0\x80","metadata":{"namespace":"team-a"}}',  # a surrogate
        b'{"metadata":{"namespace":"team-a"},"a":"\xc3',
        b'{"kind":"PodList","items":[' + OUR + b"," + OUR,
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_no_sound_json_is_refused(content: bytes) -> None:
    for sizes in ([], [1] * len(content)):
        with pytest.raises(TransformError):
            pass_in_pieces(JsonAnswer(Inspection("team-a")), content, sizes)
        event = b'{"type":"ADDED","object":' + content + b"}\n"
        with pytest.raises(TransformError):
            pass_in_pieces(JsonWatch(Inspection("team-a", None, True)), event, sizes)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        OUR,
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":' + OUR,
        b'{"type":"ADDED","object":' + OUR + b',"object":{}}',
        b'{"type":"ADDED","object":' + OUR + b"}}",
        b'{"object":' + OUR + b',"type":"ADDED"}',
        b'{"type":"SYNC","object":' + OUR + b"}",
        b'{"type":"ADDED","type":"ERROR","object":' + OUR + b"}",
        b'{"typ\\u0065":"ADDED","object":' + OUR + b"}",
        b'{"type":"ADDED","object":{"kind":"Status","apiVersion":"v1","metadata":{}}}',
        b'{"type":"BOOKMARK","object":{"metadata":{"namespace":"team-b"}}}',
        b'{"type":"ERROR","object":{"metadata":{"namespace":"team-b"}}}',
    ],
)
def test_an_event_that_is_not_as_the_server_writes_it_is_refused(line: bytes) -> None:
    with pytest.raises(TransformError):
        JsonWatch(Inspection("team-a", None, True)).feed(line + b"\n")


def test_bookmarks_and_errors_pass() -> None:
    """The annotation that ends the initial events stays as it is."""
    bookmark = (
        b'{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{'
        b'"resourceVersion":"%s","creationTimestamp":null,"annotations":'
        b'{"k8s.io/initial-events-end":"true"}},"spec":{"containers":null},"status":{}}}\n'
    )
    error = (
        b'{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},'
        b'"status":"Failure","message":"too old","reason":"Expired","code":410}}\n'
    )
    watch = JsonWatch(Inspection("team-a", 7421, True))
    assert watch.feed(bookmark % b"5" + error) == bookmark % b"57421" + error
    assert watch.finish() == b""


def test_a_watch_that_ends_inside_an_event_is_no_end() -> None:
    watch = JsonWatch(Inspection("team-a", None, True))
    assert watch.feed(b'{"type":"ADDED","object":') == b""
    with pytest.raises(TransformError, match="ends inside an event"):
        watch.finish()


def test_nothing_of_a_single_object_goes_out_before_it_is_judged() -> None:
    transform = JsonAnswer(Inspection("team-a"))
    content = b'{"data":"' + b"a" * 500_000 + b'","metadata":{"namespace":"team-b"}}'
    assert not transform.feed(content[:-1])
    with pytest.raises(TransformError, match="foreign namespace"):
        pass_in_pieces(transform, content[-1:] + b" " * 70_000, [])
