"""What a Tenant is told of its sidecars."""

import json

import pytest

from webhook.controller.broker.counts import Count
from webhook.controller.broker.sums import describe_sidecars, says, summarize


def test_nobody_reported() -> None:
    condition = describe_sidecars({}, 3)
    assert (condition.type, condition.status, condition.reason) == (
        "SidecarsCurrent",
        True,
        "NoSidecars",
    )
    assert condition.observed_generation == 3


def test_all_are_current() -> None:
    condition = describe_sidecars({"a": Count(3, 0), "b": Count(1, 0)}, 1)
    assert (condition.status, condition.reason) == (True, "Current")
    assert condition.message == "all 4 run the snapshot of their namespace"


def test_some_are_old_and_the_worst_are_named() -> None:
    counts = {name: Count(10, old) for name, old in zip("abcdef", (1, 0, 4, 2, 2, 1), strict=True)}
    condition = describe_sidecars(counts, 1)
    assert (condition.status, condition.reason) == (False, "SomeOld")
    assert condition.message.startswith(
        "10 of 60 run an older snapshot, in c (4), d (2), e (2) and 2"
    )
    assert "in a (1):" in describe_sidecars({"a": Count(2, 1)}, 1).message


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (json.dumps({"a": 1, "time": "now"}), True),
        (json.dumps({"time": "now", "a": 2}), False),
        (json.dumps([1]), False),
        ("{", False),
        ("", False),
    ],
)
def test_what_stands_there_is_compared_without_its_time(text: str, same: bool) -> None:
    assert says(text, {"a": 1}) is same


def test_what_lags_is_listed_the_worst_first_and_not_all_of_it() -> None:
    counts = {f"n-{number}": Count(5, number % 4) for number in range(2000)}
    told = summarize(counts, {"acme": Count(3, 1)})
    assert (told["total"], told["old"]) == (10_000, 3000)
    assert told["tenants"] == {"acme": {"total": 3, "old": 1}}
    listed = list(told["namespaces"].values())
    assert len(listed) == 1000
    assert listed[0] == {"total": 5, "old": 3}
    assert [each["old"] for each in listed] == sorted(
        (each["old"] for each in listed), reverse=True
    )
