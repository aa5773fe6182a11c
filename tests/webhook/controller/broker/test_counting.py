"""What a Tenant is told of its sidecars."""

from webhook.controller.broker.counting import describe
from webhook.controller.broker.counts import Count


def test_nobody_reported() -> None:
    condition = describe({}, 3)
    assert (condition.type, condition.status, condition.reason) == (
        "SidecarsCurrent",
        True,
        "NoSidecars",
    )
    assert condition.observed_generation == 3


def test_all_are_current() -> None:
    condition = describe({"a": Count(3, 0), "b": Count(1, 0)}, 1)
    assert (condition.status, condition.reason) == (True, "Current")
    assert condition.message == "all 4 run the snapshot of their namespace"


def test_some_are_old_and_the_worst_are_named() -> None:
    counts = {name: Count(10, old) for name, old in zip("abcdef", (1, 0, 4, 2, 2, 1), strict=True)}
    condition = describe(counts, 1)
    assert (condition.status, condition.reason) == (False, "SomeOld")
    assert condition.message.startswith(
        "10 of 60 run an older snapshot, in c (4), d (2), e (2) and 2"
    )
    assert "in a (1):" in describe({"a": Count(2, 1)}, 1).message
