"""What is said of a cluster's release, and of what it serves."""

from dataclasses import replace

import pytest

from tests.webhook.cli.check.scene import make_facts, only, spoil
from webhook.cli.check.cluster import check_admission_kinds, check_version


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("v1.36.3", "ok"), ("v1.30.0", "ok"), ("v1.31.4-gke.100", "ok"), ("v1.33.1+k3s1", "ok"),
        ("v2.0.0", "ok"), ("v1.29.9", "warn"), ("v1.28.2", "fail"), ("v1.9.0", "fail"),
        ("1.36", "warn"), ("", "warn"), ("v1.36\n0 bad", "warn"),
    ],
)  # fmt: skip
def test_version(version: str, status: str) -> None:
    facts = replace(make_facts(), version={"gitVersion": version})
    finding = only(check_version(facts))
    assert finding.status.value == status
    assert "\n" not in finding.message
    assert bool(finding.hint) is (status != "ok")


def test_what_is_turned_off_is_named() -> None:
    facts = make_facts()
    assert only(check_admission_kinds(facts)).status.value == "ok"
    facts = spoil(facts, "admission_kinds", lambda kinds: kinds["resources"].pop(1))
    finding = only(check_admission_kinds(facts))
    assert finding.status.value == "fail"
    assert finding.message.endswith("has no validatingadmissionpolicies")
