"""What only a guarded member may serve, of any match."""

from typing import Any

import pytest

from tests.webhook.resources.objects import make_match
from webhook.controller.compiling.guarded_kinds import guarded_kinds


@pytest.mark.parametrize(
    ("match", "kinds"),
    [
        (make_match("configmaps", "services", "persistentvolumeclaims"), ()),
        (make_match("pods"), ("pods",)),
        (make_match("pods/log"), ("pods/log",)),
        (make_match("pods/*"), ("pods/*",)),
        (make_match("*/exec"), ("pods/exec",)),
        (make_match("secrets"), ("secrets",)),
        (make_match("serviceaccounts/token"), ("serviceaccounts/token",)),
        (make_match("replicationcontrollers", "podtemplates"),
         ("replicationcontrollers", "podtemplates")),
        (make_match("bindings"), ("bindings",)),
        (make_match("*"), ("pods", "secrets", "serviceaccounts")),
        (make_match("configmaps", groups=("apps",)), ("apps/*",)),
        (make_match("deployments", groups=("apps", "batch")), ("apps/*", "batch/*")),
        (make_match("jobs", groups=("example.com",)), ()),
        (make_match("jobs", groups=("*",)), ("jobs.batch",)),
        (make_match("deployments/scale", groups=("*",)), ("deployments/scale.apps",)),
        (make_match("*", groups=("*",)), ("pods", "deployments.apps", "cronjobs.batch")),
        (make_match("configmaps", groups=("*",)), ()),
    ],
)  # fmt: skip
def test_kinds(match: Any, kinds: tuple[str, ...]) -> None:
    found = guarded_kinds(match)
    assert set(kinds) <= set(found)
    assert bool(kinds) is bool(found)
