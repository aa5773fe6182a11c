"""What is said of an installation's objects, pods and settings."""

from dataclasses import replace
from typing import Any

import pytest

from tests.webhook.cli.check.scene import SIDECAR, find, make_facts, only, spoil, tell
from webhook.cli.check.facts import Fetched
from webhook.cli.check.finding import UndecidedError
from webhook.cli.check.installation import (
    CHECKS,
    check_endpoints,
    check_flow_schema,
    check_namespace,
    check_objects,
    check_pods,
    check_settings,
)


def test_all_is_in_order() -> None:
    facts = make_facts()
    told = tell(finding for check in CHECKS for finding in check(facts))
    assert {status for _, status, _ in told} == {"ok"}
    assert ("settings", "ok", f"sidecars have the image {SIDECAR}") in told
    assert ("endpoints", "ok", "Service mca-webhook leads to 10.0.0.7") in told


def test_nothing_is_there() -> None:
    facts = replace(make_facts(), namespace=Fetched(), deployment=Fetched(), objects={})
    told = tell(finding for check in CHECKS[:4] for finding in check(facts))
    assert told == [
        ("namespace", "fail", "there is no namespace mca-system"),
        ("pods", "fail", "there is no Deployment mca-webhook in mca-system"),
    ]
    assert "mca install" in only(check_namespace(facts)).hint


def test_a_missing_object_is_named() -> None:
    facts = make_facts()
    objects = dict(facts.objects)
    name = next(name for name in objects if "poddisruptionbudget" in name)
    objects[name] = Fetched()
    finding = only(check_objects(replace(facts, objects=objects)))
    assert (finding.status.value, finding.message) == ("fail", f"not there: {name}")


def test_settings_that_the_webhook_would_refuse() -> None:
    def change(deployment: Any) -> None:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        for item in container["env"]:
            if item["name"] == "MCA_SIDECAR_IMAGE":
                item["value"] = "mca:latest"

    finding = only(check_settings(spoil(make_facts(), "deployment", change)))
    assert finding.status.value == "fail"
    assert "MCA_SIDECAR_IMAGE: 'mca:latest' is not an image with its digest" in finding.message


@pytest.mark.parametrize(
    ("spec", "status", "expected", "told"),
    [
        ({}, {}, "ok", "2 of 2 pods of mca-webhook are ready"),
        ({}, {"readyReplicas": 1}, "warn", "1 of 2 pods of mca-webhook are ready"),
        ({}, {"updatedReplicas": 1}, "warn", "2 of 2 pods of mca-webhook are ready"),
        ({}, {"readyReplicas": None}, "fail", "0 of 2 pods of mca-webhook are ready"),
        ({"replicas": 1}, {"readyReplicas": 1, "updatedReplicas": 1}, "warn", "1 of 1 pods"),
    ],
)
def test_pods(spec: Any, status: Any, expected: str, told: str) -> None:
    def change(deployment: Any) -> None:
        deployment["spec"].update(spec)
        deployment["status"].update(status)

    finding = only(check_pods(spoil(make_facts(), "deployment", change)))
    assert finding.status.value == expected
    assert told in finding.message


def test_why_pods_are_not_ready() -> None:
    pulling = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    facts = replace(make_facts(), pods=Fetched({"items": [{"status": pulling}, {}]}))
    assert only(check_pods(facts)).message.endswith("are ready: ImagePullBackOff")


def test_nobody_looks_at_the_deployment() -> None:
    facts = spoil(
        make_facts(), "deployment", lambda item: item.update(status={}, metadata={"generation": 1})
    )
    assert "controller manager" in only(check_pods(facts)).hint


def test_no_endpoint_is_ready() -> None:
    endpoint = {"addresses": ["10.0.0.7"], "conditions": {"ready": False}}
    facts = replace(make_facts(), endpoints=Fetched({"items": [{"endpoints": [endpoint]}]}))
    assert only(check_endpoints(facts)).status.value == "fail"


def test_flow_schemas() -> None:
    facts = make_facts()
    assert only(check_flow_schema(facts)).status.value == "ok"
    assert facts.flow_schemas.items() == find(list(facts.flow_schemas.items()), "FlowSchema")
    none = replace(facts, flow_schemas=Fetched({"items": []}))
    assert only(check_flow_schema(none)).status.value == "warn"
    dangling = {"conditions": [{"type": "Dangling", "status": "True"}]}
    facts = spoil(facts, "flow_schemas", lambda found: found["items"][0].update(status=dangling))
    assert "priority level that is not there" in only(check_flow_schema(facts)).message


def test_what_cannot_be_read_is_not_decided() -> None:
    facts = replace(make_facts(), deployment=Fetched(problem="forbidden"))
    with pytest.raises(UndecidedError, match="forbidden"):
        list(check_pods(facts))
