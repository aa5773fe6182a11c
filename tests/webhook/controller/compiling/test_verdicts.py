"""A verdict as a condition."""

from webhook.controller.compiling.verdicts import TAKEN, Verdict
from webhook.resources.conditions import Condition


def test_as_a_condition() -> None:
    assert TAKEN.condition(3) == Condition("Accepted", True, "Accepted", "", 3)
    refused = Verdict(False, "TooMany", "remove some")
    assert refused.condition(1) == Condition("Accepted", False, "TooMany", "remove some", 1)
