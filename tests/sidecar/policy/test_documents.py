import json

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.documents import Pairs, fold, is_bounded, members, parse_document, text_of

KNOWN = fold("name", "ownerReferences")


def test_objects_keep_every_key() -> None:
    document = parse_document('[{"a": 1, "a": {}}]')
    assert document == [[("a", 1), ("a", [])]]
    assert isinstance(document, list)
    assert isinstance(document[0], Pairs)


@pytest.mark.parametrize("text", ["", "{", "a: b", "[" * 100_000, "9" * 5_000, "\ufeff{}"])
def test_what_is_not_json_or_too_deep_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_document(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", {}),
        ("{}", {}),
        ('{"name": 1}', {"name": 1}),
        ('{"Label": 1, "label": 2}', {"Label": 1, "label": 2}),
    ],
)
def test_members(text: str, expected: dict[str, object]) -> None:
    assert members(parse_document(text), KNOWN) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[[1, 2]]",
        '"name"',
        "1",
        '{"name": 1, "name": 1}',
        '{"a": 1, "a": 1}',
        '{"Name": 1}',
        '{"ownerreferences": 1}',
        '{"ownerReference\\u017f": 1}',
        '{"<<": {}}',
    ],
)
def test_members_that_could_be_read_otherwise(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        members(parse_document(text), KNOWN)


def test_text() -> None:
    assert text_of(None) == ""
    assert text_of("a") == "a"
    with pytest.raises(ValueError, match="not a string"):
        text_of(1)


@pytest.mark.parametrize(
    ("text", "bounded"),
    [
        ("", True),
        ("[" + "{}," * 70_000, True),
        ("[" + "{}," * 80_000, False),
        # Commas in a string are no parts.
        ('"' + "," * 200_000 + '"', True),
        ('"' + '\\",' * 200_000 + '"', True),
        ('"' + '\\",' * 450_000 + '"', False),
        ('["' + "," * 200_000, True),
    ],
)
def test_what_costs_too_much_is_known_before_it_is_parsed(text: str, bounded: bool) -> None:
    assert is_bounded(text) is bounded


def test_a_smaller_bound() -> None:
    assert is_bounded("[1,2]", 2)
    assert not is_bounded("[1,2]", 1)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_it_reads_what_any_reader_reads(value: object) -> None:
    def plain(read: object) -> object:
        if isinstance(read, Pairs):
            return {key: plain(member) for key, member in read}
        return [plain(member) for member in read] if isinstance(read, list) else read

    assert plain(parse_document(json.dumps(value))) == value
