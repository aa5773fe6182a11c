"""Metadata is read of anything, and never raises."""

from typing import Any

import pytest

from webhook.resources.meta import Invalid, Meta, read_meta


def test_it_is_read() -> None:
    meta = read_meta(
        {
            "metadata": {
                "name": "a",
                "uid": "u",
                "namespace": "n",
                "generation": 3,
                "labels": {"x": "1"},
                "annotations": {"y": "2"},
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "resourceVersion": "7",
                "finalizers": ["f"],
            }
        }
    )
    assert meta == Meta("a", "u", "n", 3, {"x": "1"}, {"y": "2"}, True, "7", ("f",))


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        {"name": 1, "uid": None, "generation": "3", "labels": [], "finalizers": "f"},
        {"labels": {"x": None}, "annotations": {"y": {}}, "finalizers": [None, 1]},
    ],
)
def test_what_is_odd_is_empty(metadata: Any) -> None:
    assert read_meta({"metadata": metadata}) == Meta("")


def test_an_invalid_object_has_its_name() -> None:
    assert Invalid(Meta("a"), ("spec: is bad",)).name == "a"
