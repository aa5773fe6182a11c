"""A refusal is a Status that names its rule."""

import json
import re
from pathlib import Path

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


def test_the_readme_has_them_all() -> None:
    readme = (Path(__file__).resolve().parents[4] / "README.md").read_text()
    _, _, section = readme.partition("## Credentials and the broker")
    rows = re.findall(r"^\| (`.*?) \| ([0-9, ]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    told: dict[str, set[int]] = {}
    for names, codes in rows:
        for name in re.findall(r"`([a-z-]+)`", names):
            told[name] = {int(code) for code in codes.split(",")}
    assert told.keys() == RULES.keys()
    assert all(RULES[name].code in codes for name, codes in told.items())
