"""Owns the checks of the controller: its kinds, its pods, who of them writes, whom sidecars ask.

Must not judge what it has written: each object's conditions say that.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from webhook.cli.check.facts import Facts
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.cli.check.installation import judge_endpoints, judge_pods
from webhook.resources.names import BROKER_SERVICE, CONTROLLER, GROUP as API_GROUP, PLURALS

GROUP: Final = "controller"
# Another replica takes an abandoned Lease within its duration, and needs a moment.
_USUAL_LEASE_S: Final = 15
_MOMENT_S: Final = 30


def check_definitions(facts: Facts) -> Iterator[Finding]:
    """Whether the API server serves its kinds."""
    report = Reporter(GROUP, "definitions")
    served = {
        str(item["metadata"]["name"])
        for item in facts.controller.definitions.items()
        for condition in (item.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Established" and condition["status"] == "True"
    }
    wanted = [f"{plural}.{API_GROUP}" for plural in PLURALS.values()]
    if missing := [name for name in wanted if name not in served]:
        yield report.fail(
            f"not served: {list_some(missing)}", "run `mca install` again, or upgrade the chart"
        )
    else:
        yield report.ok(f"{list_some(wanted)} are served")


def check_pods(facts: Facts) -> Iterator[Finding]:
    """One writes, each gives out credentials."""
    found = facts.controller
    report = Reporter(GROUP, "pods")
    yield judge_pods(report, found.deployment, found.pods, CONTROLLER, facts.system)


def check_leader(facts: Facts) -> Iterator[Finding]:
    """Without one, nothing that is stated is done."""
    report = Reporter(GROUP, "leader")
    hint = f"kubectl logs -n {facts.system} deployment/{CONTROLLER}"
    lease = facts.controller.lease.read()
    spec = (lease or {}).get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    if not holder or not renewed:
        yield report.fail("no replica writes: nobody holds the Lease mca-controller", hint)
        return
    life = timedelta(seconds=(spec.get("leaseDurationSeconds") or _USUAL_LEASE_S) + _MOMENT_S)
    silent = facts.now - datetime.fromisoformat(renewed)
    if silent > life:
        told = f"{holder} holds the Lease and has not renewed it for {silent.total_seconds():.0f} s"
        yield report.fail(f"no replica writes: {told}", hint)
    else:
        yield report.ok(f"{holder} writes")


def check_endpoints(facts: Facts) -> Iterator[Finding]:
    """What sidecars would dial for credentials."""
    endpoints = facts.controller.endpoints
    yield judge_endpoints(Reporter(GROUP, "endpoints"), endpoints, BROKER_SERVICE, facts.system)


CHECKS: Final = (check_definitions, check_pods, check_leader, check_endpoints)
