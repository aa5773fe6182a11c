"""A refusal is a Status that names its rule."""

import json

import pytest

from webhook.controller.broker.refusals import RULES, RefusedError


@pytest.mark.parametrize("rule", RULES)
def test_each_is_a_status(rule: str) -> None:
    error = RefusedError(rule, "the message", told="only for the log")
    status = json.loads(error.render())
    assert status["kind"] == "Status"
    assert status["code"] == error.code == RULES[rule].code
    assert status["message"] == f"mca broker/{rule}: the message"
    assert "only for the log" not in error.render().decode()
    retried = status.get("details", {}).get("retryAfterSeconds", 0)
    assert bool(retried) == (rule in ("busy", "not-ready", "home", "member"))
    assert str(error) == "the message"


def test_how_long_to_wait_is_rounded_up() -> None:
    assert RefusedError("busy", "a", retry_s=2.1).retry_s == 3
    assert RefusedError("busy", "a", retry_s=0.2).retry_s == 1
    assert RefusedError("member", "a").retry_s == 10
    assert RefusedError("token", "a").retry_s == 0
