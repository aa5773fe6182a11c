"""Differences between what is expected and what is stored, by path."""

from typing import Any

import pytest

from webhook.enforcement.comparison import list_differences


@pytest.mark.parametrize(
    ("expected", "stored", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, ["a.c"]),
        ({"a": {"b": 1}}, {"a": {}}, ["a.b"]),
        ({"a": {"b": 1}}, {"a": None}, ["a"]),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, ["a[1].b"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, ["a", "b"]),
        # What the API server fills in.
        ({}, {"objectSelector": {}, "scope": "*", "items": [], "text": "", "none": None}, []),
        ({}, {"objectSelector": {"matchLabels": {"a": "b"}}}, ["objectSelector"]),
        ({}, {"flag": False}, ["flag"]),
    ],
)
def test_differences(expected: Any, stored: Any, paths: list[str]) -> None:
    assert list(list_differences(expected, stored)) == paths
