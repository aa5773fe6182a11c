"""Whose sidecar runs no more."""

from typing import Any

import pytest

from webhook.controller.broker.publishing import is_gone
from webhook.controller.broker.reports import Known, Report

KNOWN = Known("web-0", "uid", "AAAAAA", Report("v1-", "0.2.0"), 0.0, 780.0)


def pod(uid: str, phase: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        (None, True),
        (pod("other", "Running"), True),
        (pod("uid", "Succeeded"), True),
        (pod("uid", "Failed"), True),
        (pod("uid", "Running"), False),
        (pod("uid", "Pending"), False),
    ],
)
def test_a_pod_may_be_gone(found: dict[str, Any] | None, gone: bool) -> None:
    assert is_gone(found, KNOWN) is gone
