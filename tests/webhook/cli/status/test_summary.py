"""What `mca status` says of objects: how many are as stated, each that is not with its reason."""

import json
from typing import Any

import pytest

from webhook.cli.status.summary import (
    sum_up_clusters,
    sum_up_controller,
    sum_up_routes,
    sum_up_sidecars,
    sum_up_tenants,
)

NOW = 1795262400.0  # 2026-11-21T12:00:00Z


def make(name: str, namespace: str = "", **conditions: str) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    listed = [
        {"type": kind, "status": status.partition(" ")[0], "reason": status.partition(" ")[2],
         "message": f"about {kind}"}
        for kind, status in conditions.items()
    ]  # fmt: skip
    return {"metadata": metadata, "status": {"conditions": listed}}


def lease(renewed: str) -> dict[str, Any]:
    return {"spec": {"holderIdentity": "mca-0", "renewTime": renewed, "leaseDurationSeconds": 15}}


def test_who_leads() -> None:
    part = sum_up_controller(lease("2026-11-21T11:59:57.123456Z"), NOW)
    assert (part.told, part.findings) == ("mca-0 leads, renewed 3 s ago", ())
    late = sum_up_controller(lease("2026-11-21T11:59:00Z"), NOW)
    assert "run out" in late.findings[0]
    assert "kubectl get pods" in late.findings[0]


@pytest.mark.parametrize("found", [None, {}, {"spec": {"holderIdentity": ""}}])
def test_nobody_leads(found: Any) -> None:
    assert sum_up_controller(found, NOW).findings


def test_clusters() -> None:
    part = sum_up_clusters(
        [
            make("a", Accepted="True x", Ready="True x", Enforced="True x"),
            make("b", Accepted="True x", Ready="True x", Enforced="False GuardsMissing"),
            make("c", Accepted="False AudienceTaken", Ready="Unknown NotProbed"),
            make("d", Accepted="True x", Ready="Unknown NotProbed"),
            make("e"),
        ]
    )
    assert part.told == "5: 3 usable, 2 answer, 1 guarded"
    assert part.findings == (
        "c: Accepted AudienceTaken: about Accepted",
        "d: Ready NotProbed: about Ready",
        "e: no controller has looked at it yet",
    )


def test_what_was_said_of_an_earlier_generation_is_unknown() -> None:
    changed = make("a", Accepted="True x", Ready="True x")
    changed["metadata"]["generation"] = 2
    for sum_up, count in ((sum_up_clusters, "0 usable"), (sum_up_routes, "0 count")):
        part = sum_up([changed])
        assert count in part.told
        assert part.findings == (
            "a: Accepted Outdated: it was changed, and no controller has looked at it since",
        )
    part = sum_up_tenants([changed])
    assert (part.told, len(part.findings)) == ("1: 0 ready", 1)


def test_tenants() -> None:
    part = sum_up_tenants(
        [
            make("a", Ready="True x", Quota="True x"),
            make("b", Ready="False NotReady", Quota="False QuotaRefused"),
            make("c", Ready="False Waiting"),
            make("d"),
        ]
    )
    assert part.told == "4: 1 ready"
    assert part.findings == (
        "b: Quota QuotaRefused: about Quota",
        "c: Ready Waiting: about Ready",
        "d: no controller has looked at it yet",
    )


def test_routes_and_how_many_are_named() -> None:
    part = sum_up_routes(
        [make("r", "team-a", Accepted="True x")]
        + [make(f"r{at}", "team-b", Accepted="False NoTenant") for at in range(22)]
    )
    assert part.told == "23: 1 count"
    assert part.findings[0] == "team-b/r0: Accepted NoTenant: about Accepted"
    assert part.findings[-1] == "and 2 more"
    assert part.document()["findings"] == list(part.findings)


def test_sidecars() -> None:
    content = json.dumps(
        {"version": 1, "total": 5, "old": 1, "namespaces": {"team-a": {"total": 3, "old": 1}}}
    )
    part = sum_up_sidecars({"data": {"status.json": content}})
    assert part.told == "5 report, 1 of them run an old policy"
    assert part.findings == ("team-a: 1 on an old one",)


@pytest.mark.parametrize(
    "data", [None, {}, {"status.json": "{"}, {"status.json": "{}"}, {"status.json": "[1]"}]
)
def test_nobody_has_reported(data: Any) -> None:
    assert sum_up_sidecars({"data": data}).told == "none has reported yet"
    assert sum_up_sidecars(None).findings == ()
