import re

import pytest

from sidecar.policy.fields import Check, Fields, read_json


def test_objects_remember_a_key_that_was_given_twice() -> None:
    document = read_json(b'{"a": {"b": 1, "c": 2, "b": 3}}')
    assert isinstance(document, Fields)
    inner = document["a"]
    assert isinstance(inner, Fields)
    assert (document.twice, inner.twice) == (None, "b")


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"\xff", "is not UTF-8"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"9" * 5000, "is not JSON"),
    ],
)
def test_what_is_no_document(raw: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        read_json(raw)


def test_fields() -> None:
    check = Check()
    good = read_json(b'{"a": 1, "b": 2}')
    assert check.fields(good, "p", ("a",), ("b", "c")) is good
    assert check.fields([], "", ()) is None
    assert check.fields(read_json(b'{"x": 1}'), "", ("a",)) is None
    assert check.fields(read_json(b'{"x": 1, "x": 1}'), "p", ("x",)) is None
    assert check.fields(read_json(b'{"x": 1, "\\u0000": 1}'), "p", ("x",)) is None
    assert check.errors == [
        "$: must be an object",
        "x: is not a field of version 1: remove it",
        "a: is missing",
        "p: gives 'x' twice: keep one",
        "p.?: is not a field of version 1: remove it",
    ]


def test_constants_and_texts() -> None:
    check = Check()
    check.constant("a", "p", "a")
    assert check.text("aa", "p", re.compile("a+"), "letters") == "aa"
    assert check.label("team-a", "p") == "team-a"
    assert not check.errors
    check.constant("b", "p", "a")
    assert check.text("ab", "p", re.compile("a+"), "letters") is None
    assert check.text(1, "p", re.compile("a+"), "letters") is None
    assert check.label("Team", "p") is None
    assert check.errors == [
        "p: must be 'a'",
        "p: must be letters",
        "p: must be letters",
        "p: must be a DNS-1123 label of at most 63 characters",
    ]


@pytest.mark.parametrize("value", [1, 5, 10])
def test_whole_numbers(value: object) -> None:
    assert Check().whole(value, "p", 1, 10) == value


@pytest.mark.parametrize("value", [0, 11, True, 1.0, "1", None, float("nan")])
def test_what_is_no_whole_number(value: object) -> None:
    check = Check()
    assert check.whole(value, "p", 1, 10) is None
    assert check.errors == ["p: must be a whole number from 1 to 10"]


@pytest.mark.parametrize("value", [0.1, 5, 10.0])
def test_numbers(value: object) -> None:
    assert Check().number(value, "p", 0.1, 10) == value


@pytest.mark.parametrize("value", [0, 11, True, "1", None, float("nan"), float("inf")])
def test_what_is_no_number(value: object) -> None:
    check = Check()
    assert check.number(value, "p", 0.1, 10) is None
    assert check.errors == ["p: must be a number from 0.1 to 10"]


@pytest.mark.parametrize("value", ["", "a", "/a/../b", "/a\n", "/" * 5000, None])
def test_file_paths(value: object) -> None:
    check = Check()
    assert check.file_path("/a/..b", "p") == "/a/..b"
    assert check.file_path(value, "p") is None
    assert check.errors == ["p: must be an absolute path without '..', of at most 4096 characters"]


def test_lists() -> None:
    check = Check()

    def read(value: object, path: str) -> int | None:
        return check.whole(value, path, 0, 9)

    assert check.items([0, 1], "p", read, least=1, most=2) == (0, 1)
    assert check.items([], "p", read, least=0, most=2) == ()
    values: tuple[object, ...] = ([], [1, 2, 3], {}, None)
    for value in values:
        assert check.items(value, "p", read, least=1, most=2) is None
    assert check.items([1, 99], "p", read, least=1, most=2) is None
    assert check.errors == [
        *["p: must be a list of 1 to 2"] * 4,
        "p[1]: must be a whole number from 0 to 9",
    ]


def test_names_are_unique() -> None:
    check = Check()
    check.unique("p", ".name", ["a", "b", "a", "a"])
    assert check.errors == [
        "p[2].name: 'a' stands twice: names are unique",
        "p[3].name: 'a' stands twice: names are unique",
    ]
