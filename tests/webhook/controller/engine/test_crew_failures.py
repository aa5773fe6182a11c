"""How failures are named for metrics and pauses, and bugs told without what they were about."""

import pytest

from webhook.controller.engine.crew import describe, name_failure
from webhook.kube import KubeError


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (KubeError(0, "NotLeading", ""), "leader"),
        (KubeError(0, "", ""), "unanswered"),
        (KubeError(409, "Conflict", ""), "conflict"),
        (KubeError(409, "AlreadyExists", ""), "conflict"),
        (KubeError(429, "TooManyRequests", ""), "busy"),
        (KubeError(503, "", ""), "busy"),
        (KubeError(403, "Forbidden", ""), "refused"),
        (KubeError(422, "Invalid", ""), "refused"),
    ],
)
def test_name(error: KubeError, name: str) -> None:
    assert name_failure(error) == name


def test_a_bug_is_told_by_its_place_and_not_by_its_text() -> None:
    try:
        raise ValueError("a token")
    except ValueError as error:
        told = describe(error)
    assert told.startswith("ValueError at test_crew_failures.py:")
    assert "token" not in told
