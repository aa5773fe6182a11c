"""Attack 63: a namespace's boundary cannot be taken off by who may do everything in it."""

import json
from typing import Any

import pytest

from tests.manifests.scene import ENFORCED, Guarded, assert_passed, assert_refused

pytestmark = pytest.mark.apiserver
POLICY = "mca-namespace-labels"
TEAM = "/api/v1/namespaces/team"
ASK = "ask an admin"


@pytest.mark.parametrize("path", ["", "/status", "/finalize"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mca.io/boundary", None),
        ("mca.io/boundary", "off"),
        ("mca.io/injection", None),
        ("mca.io/tenant", "another"),
        ("pod-security.kubernetes.io/enforce", "privileged"),
        ("pod-security.kubernetes.io/enforce", None),
        ("pod-security.kubernetes.io/enforce-version", "v1.20"),
    ],
)
def test_63_a_tenant_changes_no_label_of_the_boundary(
    guarded: Guarded, path: str, key: str, value: str | None
) -> None:
    namespace = guarded.plane.request("GET", TEAM).json()
    labels = namespace["metadata"]["labels"]
    labels.pop(key, None)
    if value is not None:
        labels[key] = value
    answer = guarded.call("PUT", f"{TEAM}{path}", namespace)
    assert_refused(answer, POLICY, key.partition("/")[0], ASK)


def test_63_by_patch_and_annotations_too(guarded: Guarded) -> None:
    change: Any = {"metadata": {"labels": {"mca.io/boundary": None}}}
    assert_refused(guarded.patch(TEAM, change), POLICY, ASK)
    operations = [{"op": "remove", "path": "/metadata/labels"}]
    headers = {"Content-Type": "application/json-patch+json"}
    answer = guarded.call("PATCH", TEAM, json.dumps(operations).encode(), headers=headers)
    assert_refused(answer, POLICY, ASK)
    change = {"metadata": {"annotations": {"mca.io/opt-out": "allowed"}}}
    assert_refused(guarded.patch(TEAM, change), POLICY, "annotations mca.io/", ASK)


@pytest.mark.parametrize("path", ["", "/status"])
def test_63_near_miss_other_labels_are_the_tenants(guarded: Guarded, path: str) -> None:
    change = {"metadata": {"labels": {"team": "a", "not-mca.io/boundary": "x"}}}
    assert_passed(guarded.patch(f"{TEAM}{path}", change))
    change = {"metadata": {"annotations": {"note": "x"}}}
    assert_passed(guarded.patch(f"{TEAM}{path}", change))


def test_63_near_miss_a_namespace_without_mca_is_left_alone(guarded: Guarded) -> None:
    change = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    assert_passed(guarded.patch("/api/v1/namespaces/plain", change, namespace="plain"))


@pytest.mark.parametrize("key", ["mca.io/injection", "mca.io/boundary", "mca.io/tenant"])
def test_63_nobody_joins_by_himself(guarded: Guarded, key: str) -> None:
    change = {"metadata": {"labels": {key: "enforced"}}}
    answer = guarded.patch("/api/v1/namespaces/plain", change, namespace="plain")
    assert_refused(answer, POLICY, ASK)


def test_63_nobody_makes_a_namespace_that_has_joined(guarded: Guarded) -> None:
    plane = guarded.plane
    plane.create_service_account("plain", "maker", cluster_role="cluster-admin")
    token = plane.token("plain", "maker")
    body = {"metadata": {"name": "joined", "labels": {"mca.io/tenant": "acme"}}}
    answer = guarded.call("POST", "/api/v1/namespaces", body, token=token)
    assert_refused(answer, POLICY, ASK)
    body["metadata"] = {
        "name": "strict",
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    }
    assert_passed(guarded.call("POST", "/api/v1/namespaces", body, token=token))


def test_admins_label_and_unlabel(guarded: Guarded) -> None:
    plane = guarded.plane
    plane.create_namespace("joins")
    path = "/api/v1/namespaces/joins"
    labels: dict[str, str | None] = {"mca.io/boundary": "enforced"}
    answer = guarded.patch(path, {"metadata": {"labels": labels}}, token=plane.tokens["admin"])
    assert_refused(answer, POLICY, "pod-security.kubernetes.io/enforce to baseline or restricted")
    labels["pod-security.kubernetes.io/enforce"] = "restricted"
    plane.kubectl("label", "namespace", "joins", *(f"{k}={v}" for k, v in labels.items()))
    done = plane.kubectl(
        "label", "namespace", "joins", "--overwrite", "mca.io/boundary=x", check=False
    )
    assert "one value, enforced" in done.stderr
    weak = "pod-security.kubernetes.io/enforce=privileged"
    done = plane.kubectl("label", "namespace", "joins", "--overwrite", weak, check=False)
    assert "to baseline or restricted" in done.stderr
    plane.kubectl("label", "namespace", "joins", "mca.io/boundary-")
    plane.kubectl("label", "namespace", "joins", "--overwrite", weak)


def test_an_enforced_namespace_ends(guarded: Guarded) -> None:
    """Its deletion and finalization change no label."""
    labels = {"mca.io/boundary": "enforced", "pod-security.kubernetes.io/enforce": "baseline"}
    guarded.make("/api/v1/namespaces", {"metadata": {"name": "ending", "labels": labels}})
    path = "/api/v1/namespaces/ending"
    assert guarded.plane.request("DELETE", path).status == 200
    namespace = guarded.plane.request("GET", path).json()
    namespace["spec"]["finalizers"] = []
    assert_passed(guarded.plane.request("PUT", f"{path}/finalize", namespace))
    assert guarded.plane.request("GET", path).status == 404


def test_the_controller_labels(guarded: Guarded) -> None:
    guarded.plane.create_namespace("provisioned")
    change = {"metadata": {"labels": ENFORCED, "annotations": {"mca.io/tenant": "acme"}}}
    path = "/api/v1/namespaces/provisioned"
    assert_passed(guarded.patch(path, change, token=guarded.controller))
