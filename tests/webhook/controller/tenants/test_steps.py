"""Conditions that follow from what was done and what was not."""

from webhook.controller.tenants.kinds import Step
from webhook.controller.tenants.steps import (
    OTHERS_TOO,
    Note,
    Problem,
    judge_members,
    judge_ready,
    judge_steps,
    note_people,
)
from webhook.resources.conditions import Condition


def fail(step: Step, message: str, reason: str = "Forbidden") -> Problem:
    return Problem(step, "a", reason, message)


def test_each_step_is_a_condition() -> None:
    asked = {Step.NAMESPACES, Step.NETWORK, Step.QUOTA}
    found = judge_steps(asked, [fail(Step.QUOTA, "no")], 3, {Step.NETWORK: Note("by name")})
    assert [condition.type for condition in found] == list(Step)
    named = {condition.type: condition for condition in found}
    assert named["Quota"] == Condition("Quota", False, "Forbidden", "no", 3)
    assert named["Network"] == Condition("Network", True, "Provisioned", "by name", 3)
    assert named["Namespaces"] == Condition("Namespaces", True, "Provisioned", "", 3)
    assert named["Access"] == Condition("Access", True, "NothingAsked", "", 3)


def test_failures_are_named_a_few_of_them_each_once() -> None:
    problems = [fail(Step.QUOTA, f"p{number}") for number in (1, 1, 2, 3, 4, 5, 6, 7)]
    quota = judge_steps(set(), problems, 1, {})[1]
    assert quota.message == "p1; p2; p3; p4; p5; and 2 more"


def test_members_are_one_condition() -> None:
    assert judge_members([], [], 1) == Condition("Members", True, "NothingAsked", "", 1)
    assert judge_members(["a", "b"], [], 1).message == "on a, b"
    problem = fail(Step.NAMESPACES, "a: gone", "Unreachable")
    assert judge_members(["a"], [problem], 1) == Condition(
        "Members", False, "Unreachable", "a: gone", 1
    )


def test_ready_is_all_of_them() -> None:
    good = Condition("Quota", True, "Provisioned")
    assert judge_ready([good], 2) == Condition("Ready", True, "Provisioned", "", 2)
    bad, unknown = Condition("Limits", False, "X"), Condition("Accepted", None, "Y")
    ready = judge_ready([good, bad, unknown], 2)
    assert (ready.status, ready.reason) == (False, "Limits")
    assert "Limits, Accepted" in ready.message


def test_who_else_has_access_is_said_of_a_step_that_stands() -> None:
    notes = {Step.ACCESS: note_people([f"p{number}" for number in range(7)])}
    access = judge_steps({Step.ACCESS}, [], 1, notes)[-1]
    assert (access.type, access.status, access.reason) == ("Access", True, OTHERS_TOO)
    assert access.message.endswith(": p0; p1; p2; p3; p4; and 2 more")
    (failed,) = judge_steps({Step.ACCESS}, [fail(Step.ACCESS, "no")], 1, notes)[-1:]
    assert failed.status is False
