"""Conditions: read, compared, and written so that their times change with their status only."""

from typing import Any

import pytest

from tests.webhook.resources.objects import make_cluster, make_condition
from webhook.resources.conditions import (
    Condition,
    apply_status,
    is_true,
    is_true_now,
    now_text,
    read_conditions,
    render_conditions,
    same_conditions,
)
from webhook.resources.meta import Meta

NOW = "2026-11-21T21:00:00Z"
EARLIER = "2026-01-01T00:00:00Z"
READY = Condition("Ready", True, "Found", "", 1)


def make_document(*conditions: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 1}, "status": {"conditions": [*conditions]}}


def test_they_are_read_by_type() -> None:
    document = make_document(
        make_condition("Ready"),
        make_condition("Accepted", "False", message="no"),
        make_condition("Enforced", "Unknown"),
        {"type": 1},
        {"type": "Odd", "reason": None},
        {"type": "Older", "observedGeneration": "1"},
        "x",
    )
    assert read_conditions(document) == {
        "Ready": READY,
        "Accepted": Condition("Accepted", False, "Found", "no", 1),
        "Enforced": Condition("Enforced", None, "Found", "", 1),
    }
    assert read_conditions({}) == {}


@pytest.mark.parametrize(
    ("condition", "now", "ever"),
    [
        (make_condition("Ready"), True, True),
        (make_condition("Ready", observedGeneration=2), False, True),
        (make_condition("Ready", "False"), False, False),
        (make_condition("Other"), False, False),
    ],
)
def test_whether_one_holds(condition: Any, now: bool, ever: bool) -> None:
    document = make_document(condition)
    assert is_true_now(document, "Ready") is now
    assert is_true(document, "Ready") is ever


@pytest.mark.parametrize(
    ("there", "time"),
    [
        (make_condition("Ready"), EARLIER),
        (make_condition("Ready", reason="Other"), EARLIER),
        (make_condition("Ready", "False"), NOW),
        (make_condition("Ready", lastTransitionTime=None), NOW),
        (make_condition("Other"), NOW),
    ],
)
def test_its_time_changes_with_its_status_only(there: Any, time: str) -> None:
    (rendered,) = render_conditions([READY], make_document(there), NOW)
    assert rendered == {
        "type": "Ready",
        "status": "True",
        "reason": "Found",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": time,
    }


@pytest.mark.parametrize("status", [False, None])
def test_so_it_is_with_one_that_does_not_hold(status: bool | None) -> None:
    failing = READY._replace(status=status)
    spelled = "Unknown" if status is None else "False"
    for there, time in (
        (make_condition("Ready", spelled), EARLIER),
        (make_condition("Ready"), NOW),
    ):
        (rendered,) = render_conditions([failing], make_document(there), NOW)
        assert (rendered["status"], rendered["lastTransitionTime"]) == (spelled, time)


def test_a_long_message_is_clipped_and_the_same_afterwards() -> None:
    long = READY._replace(message="x" * 40_000, status=None)
    rendered = render_conditions([long], {}, NOW)
    assert len(rendered[0]["message"]) == 2_000
    assert same_conditions([long], make_document(*rendered))


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ([make_condition("Ready")], True),
        ([make_condition("Ready"), make_condition("Other")], True),
        ([make_condition("Ready", reason="Other")], False),
        ([make_condition("Ready", "Unknown")], False),
        ([make_condition("Ready", observedGeneration=2)], False),
        ([], False),
    ],
)
def test_whether_there_is_anything_to_write(there: list[Any], same: bool) -> None:
    assert same_conditions([READY], make_document(*there)) is same


def test_the_body_of_a_status() -> None:
    meta = Meta("eu-1", uid="u")
    body = apply_status("Cluster", meta, [READY], make_cluster(), NOW, version="v1.36.3")
    assert body["metadata"] == {"name": "eu-1"}
    assert (body["apiVersion"], body["kind"]) == ("mca.io/v1alpha1", "Cluster")
    assert body["status"]["version"] == "v1.36.3"
    assert [each["type"] for each in body["status"]["conditions"]] == ["Ready"]
    seen = {"metadata": {"resourceVersion": "7"}}
    body = apply_status("Cluster", meta, [READY], seen, NOW)
    assert body["metadata"] == {"name": "eu-1", "resourceVersion": "7"}
    body = apply_status("Route", Meta("r", "u", "team-a"), [], {}, NOW)
    assert body["metadata"] == {"name": "r", "namespace": "team-a"}


def test_times_are_written_as_the_api_does() -> None:
    assert now_text(0.9) == "1970-01-01T00:00:00Z"
