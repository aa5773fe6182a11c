"""An enforced namespace on a real node: its tenant has every right there, and gets no credential.

By commands and by objects: attacks 58, 59, 61, 63 and 65 as they are tried in a running cluster;
test_boundary_pods.py has those of new pods.
"""

import json
import time
from typing import Any

import pytest

from tests.node.images import APPLICATION_IMAGE
from tests.node.node import Node
from tests.node.sidecars import search
from tests.node.tenants import TIMEOUT_S, Tenant, open_enforced

SPACE = "enforced"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
DEBUG = ("debug", "app", f"--image={APPLICATION_IMAGE}", "--image-pull-policy=Never",
         "--profile=baseline")  # fmt: skip
TOKEN_SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "won", "annotations": {"kubernetes.io/service-account.name": "app"}},
    "type": "kubernetes.io/service-account-token",
}
CSR = {
    "apiVersion": "certificates.k8s.io/v1",
    "kind": "CertificateSigningRequest",
    "metadata": {"name": "won"},
    "spec": {
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "request": "bm90aGluZw==",
    },
}


@pytest.fixture(scope="module")
def tenant(node: Node, installed: object) -> Tenant:
    return open_enforced(node, SPACE)


def test_the_application_works_and_finds_nothing(node: Node, tenant: Tenant) -> None:
    run = ("exec", "app", "-c", "app", "--")
    done = tenant.kubectl(*run, "kubectl", "get", "pods", "-o", "name")
    assert done.stdout == "pod/app\n", done.stderr
    assert tenant.kubectl(*run, "id", "-u").stdout == "0\n"
    assert search(node, SPACE, "app") == []


def test_a_debug_container_beside_the_application_finds_nothing(node: Node, tenant: Tenant) -> None:
    done = tenant.kubectl(*DEBUG, "--container=look", "--target=app", "--", "sleep", "600")
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        pod = node.plane.request("GET", f"/api/v1/namespaces/{SPACE}/pods/app").json()
        look = pod["status"].get("ephemeralContainerStatuses") or [{"state": {}}]
        if "running" in look[0]["state"]:
            break
        assert time.monotonic() < deadline, node.explain(pod)
        time.sleep(0.2)
    assert search(node, SPACE, "app", "look") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "image", "pod/app", f"mca={APPLICATION_IMAGE}"),
        ("patch", "pod", "app", "--subresource=resize", "-p", json.dumps({"spec": {
            "initContainers": [{"name": "mca", "resources": {"requests": {"cpu": "11m"}}}]}})),
        (*DEBUG, "--target=mca", "--", "id"),
        (*DEBUG, "--custom=/dev/stdin", "--", "id"),
        ("exec", "app", "-c", "mca", "--", "id"),
        ("attach", "app", "-c", "mca"),
        ("cp", "-c", "mca", f"app:{ACCOUNT}/token", "/dev/null"),
        ("create", "token", "app"),
        ("create", "token", "default", "--audience=https://kubernetes.default.svc.cluster.local"),
        ("create", "-f", "-"),
        ("apply", "--server-side", "-f", "-"),
        ("label", "namespace", SPACE, "mca.io/boundary-"),
        ("label", "namespace", SPACE, "mca.io/injection=disabled", "--overwrite"),
        ("label", "namespace", SPACE, "pod-security.kubernetes.io/enforce=privileged",
         "--overwrite"),
        ("annotate", "namespace", SPACE, "mca.io/anything=x"),
        ("patch", "configmap", "kube-root-ca.crt", "--type=merge", "-p",
         '{"data": {"ca.crt": "another"}, "immutable": true}'),
        ("delete", "configmap", "kube-root-ca.crt"),
        ("create", "service", "clusterip", "kubernetes", "--tcp=443:443"),
        ("create", "configmap", "mca-policy"),
        ("create", "secret", "generic", "mca-members"),
        ("create", "role", "mca-reader", "--verb=get", "--resource=secrets"),
        ("create", "rolebinding", "mca-reader", "--role=x", "--user=x"),
    ],
    ids=lambda arguments: " ".join(
        each for each in arguments if not each.startswith(("--image", "--profile", "--over", "{"))
    ),
)  # fmt: skip
def test_commands_that_would_reach_a_credential_are_refused(
    tenant: Tenant, arguments: tuple[str, ...]
) -> None:
    # Debug's own profile mounts the sidecar's token; what is created is a Secret with a token.
    mounts = [{"name": "mca-token", "mountPath": "/reach"}]
    custom = "--custom=/dev/stdin" in arguments
    text = json.dumps({"volumeMounts": mounts} if custom else TOKEN_SECRET)
    done = tenant.kubectl(*arguments, input=text)
    assert done.returncode != 0, done.stdout
    assert "ValidatingAdmissionPolicy 'mca-" in done.stderr, done.stderr


@pytest.mark.parametrize("subresource", ["status", "finalize"])
def test_63_labels_are_held_in_subresources_too(tenant: Tenant, subresource: str) -> None:
    path = f"/api/v1/namespaces/{SPACE}"
    namespace = tenant.request("GET", path).json()
    del namespace["metadata"]["labels"]["mca.io/boundary"]
    refused = tenant.request("PUT", f"{path}/{subresource}", namespace)
    assert refused.status in (403, 422), refused.body
    assert b"mca-namespace-labels" in refused.body


def test_61_a_certificate_is_not_to_be_had_by_a_right_in_a_namespace(tenant: Tenant) -> None:
    done = tenant.kubectl("create", "-f", "-", input=json.dumps(CSR))
    assert "cannot create resource" in done.stderr, done


def test_58_ephemeral_containers_reach_no_volume_with_a_token(tenant: Tenant) -> None:
    """By the subresource itself, under each name that the pod has."""
    path = f"/api/v1/namespaces/{SPACE}/pods/app"
    pod = tenant.request("GET", path).json()
    volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
    assert sorted(volumes) == [
        "mca-broker", "mca-clients", "mca-identity", "mca-policy", "mca-token",
    ]  # fmt: skip
    for name in volumes:
        look: dict[str, Any] = {
            "name": f"look-{name}",
            "image": APPLICATION_IMAGE,
            "volumeMounts": [{"name": name, "mountPath": "/reach"}],
        }
        before = pod["spec"].get("ephemeralContainers", [])
        body = {**pod, "spec": {**pod["spec"], "ephemeralContainers": [*before, look]}}
        refused = tenant.request("PUT", f"{path}/ephemeralcontainers", body)
        assert b"mca-ephemeral-containers" in refused.body, refused.body
