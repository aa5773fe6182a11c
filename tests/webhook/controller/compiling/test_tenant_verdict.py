"""What is said of a Tenant as a whole."""

from typing import Any

import pytest

from tests.webhook.controller.compiling.scene import CLUSTERS, parse_clusters
from tests.webhook.resources.objects import make_match, make_route, make_tenant
from webhook.controller.compiling.tenant_verdict import judge_tenant
from webhook.resources.tenants import parse_tenant


def admin(**route: Any) -> list[dict[str, Any]]:
    return [{"name": "dev", **make_route(**route)["spec"]}]


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        ({}, "Accepted", ""),
        ({"clusters": ["eu-1", "stored"], "routes": admin()}, "Accepted", ""),
        ({"mode": "off"}, "Invalid", "spec.mode: must be enforce"),
        ({"clusters": ["gone"]}, "PartlyAccepted", "there is no Cluster 'gone'"),
        ({"clusters": ["new"]}, "PartlyAccepted", "'new' is not accepted"),
        ({"clusters": ["stored"], "boundary": "none"}, "PartlyAccepted", "mca.io/boundary"),
        ({"routes": admin(cluster="eu-9")}, "PartlyAccepted", "route dev: the Tenant 'acme' may"),
        ({"clusters": ["eu-1"], "routes": admin(match=[make_match("pods")])},
         "PartlyAccepted", "mca cluster add again with --sidecar-image and --control-image"),
        ({"clusters": ["eu-1"], "boundary": "none", "routes": admin(match=[make_match("pods")])},
         "Accepted", ""),
    ],
)  # fmt: skip
def test_verdicts(spec: Any, reason: str, told: str) -> None:
    verdict = judge_tenant(parse_tenant(make_tenant(**spec)), parse_clusters(*CLUSTERS))
    assert verdict.reason == reason
    assert verdict.accepted is (reason == "Accepted")
    assert told in verdict.message
