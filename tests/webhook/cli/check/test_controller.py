"""What is said of the controller: its kinds, its pods, its leader, its broker."""

from dataclasses import replace
from typing import Any

import pytest

from tests.webhook.cli.check.scene import make_facts, only, tell
from webhook.cli.check.controller import (
    CHECKS,
    check_definitions,
    check_endpoints,
    check_leader,
    check_pods,
)
from webhook.cli.check.facts import Facts, Fetched

FACTS = make_facts()


def change(**fields: Any) -> Facts:
    changed = {name: Fetched(document) for name, document in fields.items()}
    return replace(FACTS, controller=replace(FACTS.controller, **changed))


def test_all_is_in_order() -> None:
    assert tell(finding for check in CHECKS for finding in check(FACTS)) == [
        ("definitions", "ok", "clusters.mca.io, tenants.mca.io, routes.mca.io are served"),
        ("pods", "ok", "2 of 2 pods of mca-controller are ready"),
        ("leader", "ok", "mca-controller-0 writes"),
        ("endpoints", "ok", "Service mca-broker leads to 10.0.0.7"),
    ]


def test_a_kind_that_is_not_served() -> None:
    routes, *others = reversed(FACTS.controller.definitions.items())
    finding = only(check_definitions(change(definitions={"items": others})))
    assert (finding.status.value, finding.message) == ("fail", "not served: routes.mca.io")
    waiting = {**routes, "status": {"conditions": [{"type": "Established", "status": "False"}]}}
    finding = only(check_definitions(change(definitions={"items": [*others, waiting]})))
    assert finding.message == "not served: routes.mca.io"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (None, "nobody holds the Lease"),
        ({"holderIdentity": "", "renewTime": "2026-11-21T11:59:59Z"}, "nobody holds the Lease"),
        ({"holderIdentity": "a", "renewTime": "2026-11-21T11:59:00Z"}, "for 60 s"),
    ],
)
def test_nobody_writes(spec: dict[str, Any] | None, told: str) -> None:
    lease = None if spec is None else {"spec": spec}
    finding = only(check_leader(change(lease=lease)))
    assert finding.status.value == "fail"
    assert finding.message.startswith("no replica writes: ")
    assert told in finding.message
    assert "deployment/mca-controller" in finding.hint


def test_a_lease_that_is_about_to_change_hands() -> None:
    spec = {"holderIdentity": "a", "renewTime": "2026-11-21T11:59:16Z"}
    assert only(check_leader(change(lease={"spec": spec}))).status.value == "ok"


def test_its_pods_and_its_service() -> None:
    finding = only(check_pods(change(deployment=None)))
    assert finding.message == "there is no Deployment mca-controller in mca-system"
    finding = only(check_endpoints(change(endpoints={"items": []})))
    assert finding.message == "Service mca-broker leads to no pod that is ready"
