import json

import pytest
from hypothesis import given, strategies as st

from sidecar.objects.inspection import TransformError
from sidecar.objects.json_text import (
    Found,
    IncompleteError,
    check_parts,
    find_next,
    locate,
    read_key,
    scan,
    text_at,
    want,
)

WANTED = want("kind", "metadata.name", "metadata.owner.name")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def walk(text: str) -> tuple[int, Found]:
    found: Found = {}
    return locate(text, 0, WANTED, found), found


def texts(document: object) -> st.SearchStrategy[str]:
    """JSON texts of one document: compact, spaced, escaped, not escaped."""
    return st.builds(
        lambda indent, ascii_only: (
            json.dumps(document, indent=indent, ensure_ascii=ascii_only)
            .encode("utf-8", "surrogatepass")
            .decode("latin-1")
        ),
        st.sampled_from([None, 0, 3, "\t"]),
        st.booleans(),
    )


@given(st.dictionaries(st.text(), values), st.text(), st.data())
def test_values_are_found_where_they_stand(
    others: dict[str, object], name: str, data: st.DataObject
) -> None:
    folded = {key.casefold() for key in others}
    if folded & {"kind", "metadata"} or not name.isascii():
        return
    document = {**others, "kind": None, "metadata": {"name": name, "x": {"name": "other"}}}
    text = data.draw(texts(document))
    end, found = walk(text)
    assert end == len(text)
    assert text_at(found, "kind") is None
    assert text_at(found, "metadata.name") == name
    _, start, stop = found["metadata.name"]
    assert json.loads(text[start:stop]) == name
    assert "metadata.owner" not in found


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"A","kind":"A"}',
        '{"kind":"A","k\\u0069nd":"B"}',
        '{"Kind":"A"}',
        '{"KIND":"A","kind":"A"}',
        '{"\\u212aind":"A"}',  # the Kelvin sign, which folds to k
        '{"\xe2\x84\xaaind":"A"}',  # the same as UTF-8
        '{"metadata":{"name":"a"},"metadata":{}}',
        '{"metadata":{"name":"a","name":"b"}}',
        '{"metadata":{"Name":"a"}}',
        '{"metadata":null,"metadata":{"name":"a"}}',
    ],
)
def test_keys_that_two_readers_could_read_differently_are_refused(text: str) -> None:
    with pytest.raises(TransformError, match="given twice, or in another case"):
        walk(text)


def test_keys_that_nobody_wants_may_repeat() -> None:
    text = '{"x":{"kind":1,"kind":2},"x":1,"metadata":{"Kind":1}}'
    assert walk(text)[0] == len(text)


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"kind', '{"kind"', '{"kind":', '{"kind":"A"', '{"kind":"A",', '{"a":1,}', "{,}",
     "{'a':1}", '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":01}', '{"a":+1}', '{a:1}',
     '{"a":1 "b":2}', '{"a":"\n"}', '{"\n":1}', '{"a":"\\x"}', '{"\\x":1}', '{"a":tru}', "]",
     '{"a":[1,]}', '{"a":{"b":1]}', "// comment\n{}", '{"a":/**/1}'],
)  # fmt: skip
def test_what_is_no_json_is_not_walked(text: str) -> None:
    with pytest.raises(IncompleteError):
        walk(text)


@given(st.data())
def test_no_begin_of_an_object_is_taken_for_the_whole(data: st.DataObject) -> None:
    text = data.draw(texts({"kind": "A", "metadata": {"name": "ü"}, "n": [1, {}, "\\"]}))
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(IncompleteError):
        walk(text[:end])


@pytest.mark.parametrize("text", ["[1, 2]", '"text"', "12", "null", "{}", "{ \n}"])
def test_what_is_no_object_holds_nothing(text: str) -> None:
    assert walk(text) == (len(text), {})


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_depth_bomb_is_refused(opening: str) -> None:
    with pytest.raises(TransformError, match="nested too deeply"):
        scan(opening * 100_000, 0)


def test_a_number_may_be_of_any_length() -> None:
    digits = "9" * 100_000
    assert scan(digits, 0) == (True, 100_000)
    assert scan(f"-{digits}.5e{digits}", 0)[1] == 200_004


def test_too_many_keys_on_a_walked_level_are_refused() -> None:
    with pytest.raises(TransformError, match="too many keys"):
        walk("{" + ",".join(f'"{number}":0' for number in range(20_001)) + "}")


def test_an_object_that_would_take_much_memory_is_refused() -> None:
    check_parts("[" * 1000)
    check_parts('"' + "a" * 1_000_000 + '"')
    with pytest.raises(TransformError, match="too many parts"):
        check_parts("[]," * 150_001)


def test_what_follows_a_member() -> None:
    assert find_next(" \n}x", 0) == ("}", 3)
    assert find_next(",", 0) == (",", 1)
    for text in ("", " ", "]", "x"):
        with pytest.raises(IncompleteError):
            find_next(text, 0)


def test_keys_are_read_unescaped() -> None:
    assert read_key('"k\\u0069nd" : 1', 0) == ("kind", 14)
    assert read_key('"\xc3\xbc":1', 0) == ("ü", 5)


@pytest.mark.parametrize("value", ["5", "true", "{}", "[]", '["a"]'])
def test_a_name_or_version_that_is_no_string_is_refused(value: str) -> None:
    _, found = walk(f'{{"kind":{value}}}')
    with pytest.raises(TransformError, match="is no string"):
        text_at(found, "kind")
