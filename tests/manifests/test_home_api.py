"""Attack 61 by another way: a token that goes to a server of the tenant's choice."""

import json
from typing import Any

import pytest

from tests.manifests.scene import Guarded, assert_passed, assert_refused, wait_until

pytestmark = pytest.mark.apiserver
POLICY = "mca-home-api"
MAPS = "/api/v1/namespaces/{}/configmaps"
SERVICES = "/api/v1/namespaces/{}/services"
ROOT = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "the cluster's"}}
EVIL = {"data": {"ca.crt": "the tenant's"}, "immutable": True}
PUBLISHER = ("kube-system", "root-ca-cert-publisher")


@pytest.fixture(scope="module")
def published(guarded: Guarded) -> str:
    """The ConfigMap as its controller has written it; that controller's token."""
    guarded.plane.create_service_account(*PUBLISHER, cluster_role="cluster-admin")
    token = guarded.plane.token(*PUBLISHER)
    for namespace in ("lax", "plain"):
        answer = guarded.call("POST", MAPS.format(namespace), ROOT, token=token)
        assert answer.status in (201, 409), answer.body
    return token


def service(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 443}]}}


def test_a_tenant_changes_nobodys_root_certificate(guarded: Guarded, published: str) -> None:
    mine = f"{MAPS.format('lax')}/kube-root-ca.crt"
    whole = {**ROOT, **EVIL, "apiVersion": "v1", "kind": "ConfigMap"}
    applied = guarded.call(
        "PATCH", f"{mine}?fieldManager=tenant&force=true", json.dumps(whole).encode(),
        headers={"Content-Type": "application/apply-patch+yaml"}, namespace="lax",
    )  # fmt: skip
    for answer in (
        guarded.patch(mine, EVIL, namespace="lax"),
        guarded.call("PUT", mine, whole, namespace="lax"),
        applied,
        guarded.call("DELETE", mine, namespace="lax"),
        guarded.call("DELETE", MAPS.format("lax"), namespace="lax"),
    ):
        assert_refused(answer, POLICY, "put certificates of your own into another ConfigMap")
    found = guarded.call("GET", mine, namespace="lax").json()
    assert (found["data"], found.get("immutable")) == (ROOT["data"], None)
    assert_passed(guarded.call("DELETE", mine, token=published))
    assert_refused(guarded.call("POST", MAPS.format("lax"), whole, namespace="lax"), POLICY)
    assert_passed(guarded.call("POST", MAPS.format("lax"), ROOT, token=published))


def test_admins_and_other_namespaces_are_free(guarded: Guarded, published: str) -> None:
    mine = f"{MAPS.format('lax')}/kube-root-ca.crt"
    label = {"metadata": {"labels": {"seen": "yes"}}}
    assert_passed(guarded.patch(mine, label, token=guarded.plane.tokens["admin"]))
    free = f"{MAPS.format('plain')}/kube-root-ca.crt"
    assert_passed(guarded.patch(free, label, namespace="plain"))
    other = {"metadata": {"name": "kube-root-ca.crt-2"}}
    assert_passed(guarded.call("POST", f"{MAPS.format('lax')}?dryRun=All", other, namespace="lax"))


@pytest.mark.parametrize("name", ["kubernetes", "kubernetes-service"])
def test_no_service_stands_for_the_api_server(guarded: Guarded, name: str) -> None:
    path = SERVICES.format("team")
    for token in (None, guarded.plane.tokens["admin"]):
        answer = guarded.call("POST", path, service(name), token=token)
        assert_refused(answer, POLICY, "choose another name")


def test_the_api_server_makes_its_own_again(guarded: Guarded) -> None:
    """In namespace default, if that is enforced, too; its own client is sent through admission."""
    plane = guarded.plane
    labels = {"mca.io/boundary": "enforced", "pod-security.kubernetes.io/enforce": "baseline"}
    answer = guarded.patch(
        "/api/v1/namespaces/default", {"metadata": {"labels": labels}},
        token=plane.tokens["admin"],
    )  # fmt: skip
    assert_passed(answer)
    path = SERVICES.format("default")
    admin = plane.tokens["admin"]
    probe = f"{path}?dryRun=All"
    wait_until(
        lambda: (
            guarded.call("POST", probe, service("kubernetes-service"), token=admin).status == 403
        )
    )
    try:
        assert_passed(guarded.call("DELETE", f"{path}/kubernetes", token=admin))
        wait_until(lambda: guarded.call("GET", f"{path}/kubernetes", token=admin).status == 200, 30)
    finally:
        gone = {"metadata": {"labels": dict.fromkeys(labels)}}
        assert_passed(guarded.patch("/api/v1/namespaces/default", gone, token=admin))


@pytest.mark.parametrize("name", ["kubernetes-2", "my-kubernetes", "kube-root-ca"])
def test_other_services_are_free(guarded: Guarded, name: str) -> None:
    assert_passed(guarded.call("POST", f"{SERVICES.format('team')}?dryRun=All", service(name)))


def test_a_service_of_that_name_elsewhere(guarded: Guarded) -> None:
    path = f"{SERVICES.format('plain')}?dryRun=All"
    assert_passed(guarded.call("POST", path, service("kubernetes"), namespace="plain"))


def test_a_namespace_that_ends_can_be_emptied(guarded: Guarded, published: str) -> None:
    labels = {"mca.io/boundary": "enforced", "pod-security.kubernetes.io/enforce": "baseline"}
    guarded.make("/api/v1/namespaces", {"metadata": {"name": "rooted", "labels": labels}})
    path = MAPS.format("rooted")
    answer = guarded.call("POST", path, ROOT, token=published)
    assert answer.status in (201, 409), answer.body
    namespaces = guarded.controller  # like the namespace controller, neither admin nor publisher
    assert_refused(guarded.call("DELETE", path, token=namespaces), POLICY)
    assert guarded.plane.request("DELETE", "/api/v1/namespaces/rooted").status == 200
    wait_until(lambda: guarded.call("DELETE", path, token=namespaces).status == 200)
