"""Patches make the new document of the old one, and touch nothing else."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.webhook.admission.scene import apply_patch
from webhook.admission.json_patch import diff


@pytest.mark.parametrize(
    ("old", "new", "operations"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({}, {"a/b~c": 1}, [{"op": "add", "path": "/a~1b~0c", "value": 1}]),
        ({"a": 1, "b": 2}, {"b": 3}, [
            {"op": "remove", "path": "/a"}, {"op": "replace", "path": "/b", "value": 3},
        ]),
        ({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}]),
        ({"a": [1]}, {"a": {}}, [{"op": "replace", "path": "/a", "value": {}}]),
        ({"a": ["x", "y"]}, {"a": ["y", "z"]}, [
            {"op": "add", "path": "/a/2", "value": "z"}, {"op": "remove", "path": "/a/0"},
        ]),
        ([{"name": "a", "v": 1}, {"name": "b"}], [{"name": "a", "v": 2}, {"name": "b"}], [
            {"op": "replace", "path": "/0/v", "value": 2},
        ]),
        # One that moves to the front goes and comes: the others stay where they are.
        ([{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}], [
            {"op": "remove", "path": "/1"}, {"op": "add", "path": "/0", "value": {"name": "b"}},
        ]),
        ([{"name": "a", "mountPath": "/x"}], [{"name": "b", "mountPath": "/x"}], [
            {"op": "replace", "path": "/0/name", "value": "b"},
        ]),
        ([{"ip": "a", "hostnames": ["x"]}], [{"ip": "a", "hostnames": ["x", "y"]}], [
            {"op": "add", "path": "/0/hostnames/1", "value": "y"},
        ]),
    ],
)  # fmt: skip
def test_operations(old: Any, new: Any, operations: list[dict[str, Any]]) -> None:
    assert diff(old, new) == operations
    assert apply_patch(old, operations) == new


names = st.sampled_from(["a", "b", "c", "d"])
items = st.one_of(names, st.fixed_dictionaries({"name": names}, optional={"value": names}))
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2), names),
    lambda inner: st.one_of(
        st.dictionaries(names, inner), st.lists(st.one_of(inner, items), max_size=6)
    ),
)


@given(documents, documents)
def test_any_document_becomes_any_other(old: Any, new: Any) -> None:
    operations = diff({"": old}, {"": new})
    made = apply_patch({"": old}, operations)
    assert spell(made) == spell({"": new})


def spell(value: Any) -> str:
    """Keys in order: where a key stands does not count, whether 1 is True does."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{spell(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    return repr(value)


@given(st.lists(names), st.lists(names))
def test_lists_with_many_of_the_same(old: list[str], new: list[str]) -> None:
    assert apply_patch(old, diff(old, new)) == new
