"""Which namespaces a Tenant chooses, by name and by labels."""

from typing import Any

import pytest

from webhook.resources.choices import choice_matches, judge_choice, read_choice
from webhook.resources.meta import Meta

TIER = {"key": "mca.io/tier", "operator": "In", "values": ["a", "b"]}


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"key": "mca.io/tier", "operator": operator, **({"values": [*values]} if values else {})}


@pytest.mark.parametrize(
    ("choice", "labels", "chosen"),
    [
        ({"names": ["team-a"]}, {}, True),
        ({"names": ["team-b"]}, {}, False),
        ({}, {}, False),
        ({"selector": {"matchLabels": {"mca.io/tier": "a"}}}, {"mca.io/tier": "a"}, True),
        ({"selector": {"matchLabels": {"mca.io/tier": "a"}}}, {"mca.io/tier": "b"}, False),
        ({"selector": {"matchLabels": {"mca.io/tier": "a"}}}, {}, False),
        ({"selector": {"matchExpressions": [expression("In", "a", "b")]}},
         {"mca.io/tier": "b"}, True),
        ({"selector": {"matchExpressions": [expression("In", "a")]}}, {}, False),
        ({"selector": {"matchExpressions": [expression("NotIn", "a")]}}, {}, True),
        ({"selector": {"matchExpressions": [expression("NotIn", "a")]}},
         {"mca.io/tier": "a"}, False),
        ({"selector": {"matchExpressions": [expression("Exists")]}}, {"mca.io/tier": ""}, True),
        ({"selector": {"matchExpressions": [expression("Exists")]}}, {}, False),
        ({"selector": {"matchExpressions": [expression("DoesNotExist")]}}, {}, True),
        ({"selector": {"matchExpressions": [expression("DoesNotExist")]}},
         {"mca.io/tier": "a"}, False),
        ({"selector": {"matchExpressions": [expression("Odd")]}}, {"mca.io/tier": "a"}, False),
        ({"selector": {"matchLabels": {"mca.io/x": "1"}, "matchExpressions": [TIER]}},
         {"mca.io/tier": "a"}, False),
        ({"selector": {"matchLabels": {"mca.io/x": "1"}, "matchExpressions": [TIER]}},
         {"mca.io/tier": "a", "mca.io/x": "1"}, True),
    ],
)  # fmt: skip
def test_matching(choice: Any, labels: dict[str, str], chosen: bool) -> None:
    assert choice_matches(read_choice(choice), Meta("team-a", labels=labels)) is chosen


def test_what_becomes_of_them() -> None:
    assert read_choice({}).reclaim == "retain"
    read = read_choice({"names": ["a", "a"], "create": True, "reclaim": "delete"})
    assert (read.names, read.create, read.reclaim) == (("a",), True, "delete")


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"selector": {"matchLabels": {"team": "a"}}}, "must use labels of mca.io/ only"),
        ({"selector": {"matchExpressions": [{**TIER, "key": "team"}]}}, "labels of mca.io/ only"),
        ({"selector": {"matchExpressions": [{}]}}, "labels of mca.io/ only"),
        ({"selector": {}}, "is empty and would take every namespace"),
        ({"selector": None}, "is empty and would take every namespace"),
        ({"selector": {"matchExpressions": [expression("In")]}}, "must be In or NotIn with values"),
        ({"selector": {"matchExpressions": [expression("Exists", "a")]}}, "must be In or NotIn"),
        ({"selector": {"matchExpressions": [expression("Odd", "a")]}}, "must be In or NotIn"),
        ({"reclaim": "forget"}, "spec.namespaces.reclaim: must be one of"),
    ],
)
def test_what_is_wrong(choice: Any, told: str) -> None:
    assert told in "\n".join(judge_choice(choice))


@pytest.mark.parametrize(
    "choice",
    [
        {"names": ["a"]},
        {"selector": {"matchLabels": {"mca.io/tier": "a"}, "matchExpressions": [TIER]}},
        {"reclaim": "delete"},
    ],
)
def test_what_is_right(choice: Any) -> None:
    assert judge_choice(choice) == []
