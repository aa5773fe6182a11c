"""How failures are named for metrics and pauses."""

import pytest

from webhook.controller.engine.crew import name_failure
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
