"""Attack 65: what the controller keeps for sidecars is written by nobody else."""

import json
import time
from typing import Any

import pytest

from tests.manifests.scene import (
    RBAC,
    Guarded,
    assert_passed,
    assert_refused,
    wait_until,
)

pytestmark = pytest.mark.apiserver
POLICY = "mca-own-objects"
TELLS = "choose another name"
PATHS = {
    "configmaps": "/api/v1/namespaces/{}/configmaps",
    "secrets": "/api/v1/namespaces/{}/secrets",
    "roles": RBAC + "/namespaces/{}/roles",
    "rolebindings": RBAC + "/namespaces/{}/rolebindings",
    "resourcequotas": "/api/v1/namespaces/{}/resourcequotas",
    "limitranges": "/api/v1/namespaces/{}/limitranges",
    "networkpolicies": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}
# As they are called in what is applied.
KINDS = {
    "configmaps": "ConfigMap", "secrets": "Secret", "roles": "Role", "rolebindings": "RoleBinding",
    "resourcequotas": "ResourceQuota", "limitranges": "LimitRange",
    "networkpolicies": "NetworkPolicy",
}  # fmt: skip
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"}
every_kind = pytest.mark.parametrize("kind", PATHS)


def body_of(kind: str, **metadata: str) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "rolebindings": {"roleRef": ROLE},
        "limitranges": {"spec": {"limits": []}},
        "networkpolicies": {"spec": {"podSelector": {}}},
    }
    return {"metadata": metadata, **more.get(kind, {})}


@every_kind
def test_65_a_tenant_touches_nothing_of_ours(guarded: Guarded, kind: str) -> None:
    path = PATHS[kind].format("team")
    body = body_of(kind, name="mca-policy")
    assert_refused(guarded.call("POST", path, body), POLICY, TELLS)
    generated = body_of(kind, generateName="mca-")
    assert_refused(guarded.call("POST", path, generated), POLICY, TELLS)
    assert_passed(guarded.call("POST", path, body, token=guarded.controller))
    mine = f"{path}/mca-policy"
    freeze = {"metadata": {"finalizers": ["example.com/stuck"]}}
    assert_refused(guarded.patch(mine, freeze), POLICY, TELLS)
    applied = {"Content-Type": "application/apply-patch+yaml"}
    group, _, _ = path.removeprefix("/apis/").partition("/namespaces/")
    version = "v1" if path.startswith("/api/") else group
    whole = body_of(kind, name="mca-new") | {"apiVersion": version, "kind": KINDS[kind]}
    answer = guarded.call(
        "PATCH",
        f"{path}/mca-new?fieldManager=tenant",
        json.dumps(whole).encode(),
        headers=applied,
    )
    assert_refused(answer, POLICY, TELLS)
    assert_refused(guarded.call("DELETE", mine), POLICY, TELLS)
    assert_refused(guarded.call("DELETE", path), POLICY, TELLS)
    assert guarded.call("GET", mine).status == 200
    assert_passed(
        guarded.patch(mine, {"metadata": {"labels": {"a": "b"}}}, token=guarded.controller)
    )
    assert_passed(guarded.call("DELETE", mine, token=guarded.controller))


def test_65_frozen_is_refused_for_admins_too(guarded: Guarded) -> None:
    path = PATHS["configmaps"].format("team")
    body = body_of("configmaps", name="mca-policy") | {"immutable": True}
    answer = guarded.call("POST", path, body, token=guarded.plane.tokens["admin"])
    assert_refused(answer, POLICY, TELLS)


@every_kind
def test_65_near_miss_other_names_and_other_namespaces(guarded: Guarded, kind: str) -> None:
    path = PATHS[kind].format("team")
    for name in ("mcafee", "not-mca-policy"):
        assert_passed(guarded.call("POST", path, body_of(kind, name=name)))
        assert_passed(guarded.call("DELETE", f"{path}/{name}"))
    free = PATHS[kind].format("plain")
    body = body_of(kind, name="mca-policy")
    assert_passed(guarded.call("POST", free, body, namespace="plain"))
    assert_passed(guarded.call("DELETE", f"{free}/mca-policy", namespace="plain"))


def test_65_a_namespace_that_ends_can_be_emptied(guarded: Guarded) -> None:
    """As the namespace controller does it, which is none of the accounts that are spared."""
    plane = guarded.plane
    labels = {"mca.io/injection": "enabled"}
    guarded.make("/api/v1/namespaces", {"metadata": {"name": "emptied", "labels": labels}})
    path = PATHS["configmaps"].format("emptied")
    assert_passed(
        guarded.call(
            "POST", path, body_of("configmaps", name="mca-policy"), token=guarded.controller
        )
    )
    collector = plane.tokens["admin"]
    assert_refused(guarded.call("DELETE", path, token=collector), POLICY, TELLS)
    assert plane.request("DELETE", "/api/v1/namespaces/emptied").status == 200
    # The policy sees the namespace by a watch, a moment later.
    wait_until(lambda: guarded.call("DELETE", path, token=collector).status == 200)
    assert plane.request("GET", f"{path}/mca-policy").status == 404


@every_kind
def test_mcas_own_namespace_is_not_closed_to_mca_by_a_label(guarded: Guarded, kind: str) -> None:
    """`kubectl label namespace --all`: certificates are renewed there, and an upgrade goes on."""
    plane = guarded.plane
    name = "/api/v1/namespaces/mca-system"
    label = {"metadata": {"labels": {"mca.io/injection": "enabled"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert plane.request("PATCH", name, json.dumps(label).encode(), headers=headers).status == 200
    path = PATHS[kind].format("mca-system")
    admin = plane.tokens["admin"]
    for _ in range(20):  # policies see the label a moment later
        assert_passed(guarded.call("POST", path, body_of(kind, name="mca-webhook-x"), token=admin))
        assert_passed(guarded.call("DELETE", f"{path}/mca-webhook-x", token=admin))
        time.sleep(0.05)
