"""One message at a time, whole. Pieces are test_protobuf_stream's."""

import pytest

from sidecar.objects.inspection import Expected, Inspection, TransformError
from sidecar.objects.protobuf_objects import open_envelope, pass_envelope
from tests.sidecar.objects.messages import (
    MAGIC,
    a_list,
    a_status,
    an_object,
    envelope,
    field,
    integer,
    list_meta,
    object_meta,
)

BOTH = (Expected.OBJECT, Expected.OBJECT_OR_STATUS, Expected.WRAPPER)
ANSWERS = (Expected.OBJECT_OR_STATUS, Expected.WRAPPER)
BETA = ("PartialObjectMetadataList", "meta.k8s.io/v1beta1")
GA = ("PartialObjectMetadataList", "meta.k8s.io/v1")
NEW_POD = field(1, b"v1") + field(3, b"new") + field(2, b"Pod")


def a_beta_list(item: bytes, version: str = "9") -> bytes:
    """The one list that has its items first."""
    return field(1, item) + field(2, list_meta(version))


@pytest.mark.parametrize(
    ("content", "tagged", "expected"),
    [
        (envelope(an_object()), envelope(an_object(version="57421")), BOTH),
        (envelope(an_object(version="0")), envelope(an_object(version="0")), BOTH),
        (envelope(an_object(version="")), envelope(an_object(version="")), BOTH),
        (envelope(an_object(version=None)), envelope(an_object(version=None)), BOTH),
        (
            MAGIC + field(1, NEW_POD) + field(2, an_object()),
            MAGIC + field(1, NEW_POD) + field(2, an_object(version="57421")),
            BOTH,
        ),
        (envelope(an_object(), kind="Foo"), envelope(an_object(version="57421"), kind="Foo"), BOTH),
        (envelope(a_status(), "Status"), envelope(a_status(), "Status"), ANSWERS),
        (envelope(a_list(), "PodList"), envelope(a_list(version="97421"), "PodList"), ANSWERS),
        (
            envelope(a_list(an_object(), an_object(version="6"), token="ab"), "PodList"),
            envelope(
                a_list(
                    an_object(version="57421"),
                    an_object(version="67421"),
                    version="97421",
                    token="7421.ab",
                ),
                "PodList",
            ),
            ANSWERS,
        ),
        (
            envelope(a_list(an_object()) + field(5, b"more"), *GA),
            envelope(a_list(an_object(version="57421"), version="97421") + field(5, b"more"), *GA),
            ANSWERS,
        ),
        (
            envelope(a_beta_list(an_object()), *BETA),
            envelope(a_beta_list(an_object(version="57421"), "97421"), *BETA),
            ANSWERS,
        ),
        # Bookmarks: an empty namespace is written too.
        (envelope(an_object("")), envelope(an_object("", "57421")), (Expected.WRAPPER,)),
        (envelope(an_object(None)), envelope(an_object(None, "57421")), (Expected.WRAPPER,)),
        (envelope(field(2, b"")), envelope(field(2, b"")), (Expected.WRAPPER,)),
    ],
)
def test_what_is_ours_passes_tagged_or_as_it_is(
    content: bytes, tagged: bytes, expected: tuple[Expected, ...]
) -> None:
    for place in expected:
        assert pass_envelope(content, Inspection("team-a"), place) == content
        assert pass_envelope(content, Inspection("team-a", 7421), place) == tagged


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (envelope(an_object("team-b")), BOTH),
        (envelope(an_object("")), BOTH[:2]),
        (envelope(an_object(None)), BOTH[:2]),
        (envelope(field(2, b"")), BOTH[:2]),
        (envelope(a_status(), "Status", "example.org/v1"), BOTH[:2]),
        (envelope(a_list(an_object(), an_object("team-b")), "PodList"), ANSWERS),
        (envelope(a_list(an_object("")), "PodList"), ANSWERS),
        (envelope(a_beta_list(an_object("team-b")), *BETA), ANSWERS),
    ],
)
def test_what_is_foreign_does_not(content: bytes, expected: tuple[Expected, ...]) -> None:
    for place in expected:
        with pytest.raises(TransformError, match="foreign namespace"):
            pass_envelope(content, Inspection("team-a"), place)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"k8s",
        an_object(),
        MAGIC,
        MAGIC + field(1, b""),
        MAGIC + field(2, an_object()),
        # A list that reads as an object of ours where no kind is named; typed clients know better.
        MAGIC + field(2, a_list(an_object("team-b"), token="team-a")),
        MAGIC + field(1, field(1, b"v1")) + field(2, a_list(an_object("team-b"), token="team-a")),
        MAGIC + field(1, field(2, b"Pod")) + field(2, an_object()),
        MAGIC + field(1, field(1, b"") + field(2, b"Pod")) + field(2, an_object()),
        MAGIC + field(2, an_object()) * 2,
        MAGIC + field(1, b"") * 2 + field(2, an_object()),
        MAGIC + field(2, an_object()) + field(3, b"gzip"),
        MAGIC + integer(2, 5),
        envelope(an_object()) + b"\x0a",
        # A decoder merges what comes twice.
        envelope(field(1, object_meta()) + field(1, object_meta("team-b"))),
        envelope(field(1, object_meta() + field(3, b"team-b"))),
        envelope(field(1, object_meta() + field(6, b"7"))),
        envelope(integer(1, 5)),
        envelope(field(1, integer(3, 5))),
        envelope(field(1, b"\xff")),
        envelope(field(1, list_meta()) * 2, "PodList"),
        envelope(field(1, list_meta() + field(2, b"8")), "PodList"),
        envelope(field(1, list_meta()) + integer(2, 5), "PodList"),
        envelope(a_list(b"\xff"), "PodList"),
        MAGIC
        + field(1, field(1, b"v1") + field(2, b"Pod") + field(2, b"PodList"))
        + field(2, an_object()),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(content: bytes) -> None:
    for code in (None, 7421):
        with pytest.raises(TransformError):
            pass_envelope(content, Inspection("team-a", code), Expected.OBJECT_OR_STATUS)


@pytest.mark.parametrize(
    "content",
    [
        envelope(a_status(), "Status"),
        envelope(a_list(an_object("team-b"), token="team-a"), "PodList"),  # read as a namespace
    ],
)
def test_no_list_or_status_stands_where_an_object_belongs(content: bytes) -> None:
    with pytest.raises(TransformError, match="where an object belongs"):
        pass_envelope(content, Inspection("team-a"), Expected.OBJECT)


def test_a_version_that_cannot_be_tagged_is_refused() -> None:
    with pytest.raises(TransformError, match="no decimal integer"):
        pass_envelope(
            envelope(an_object(version="\xfc")), Inspection("team-a", 7421), Expected.OBJECT
        )


def test_nothing_is_checked_where_no_namespace_was_asked_for() -> None:
    passed = pass_envelope(envelope(an_object("")), Inspection("", 7421), Expected.OBJECT)
    assert passed == envelope(an_object("", "57421"))


def test_an_envelope_is_sealed_around_another_message() -> None:
    opened = open_envelope(envelope(b"one", "Pod"))
    assert (opened.message, opened.type_meta.kind, opened.type_meta.api_version) == (
        b"one",
        b"Pod",
        b"v1",
    )
    assert opened.sealed(b"another") == envelope(b"another", "Pod")
    assert opened.sealed(opened.message) is opened.content
