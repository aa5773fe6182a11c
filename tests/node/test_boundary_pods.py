"""What a tenant writes into new pods of an enforced namespace, on a real node.

Attacks 56, 57, 60, 62, 66, 67 and 80: refused in words that say why, or made harmless.
"""

import copy
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.manifests.meddler import Meddler
from tests.node.images import APPLICATION_IMAGE
from tests.node.installation import Images
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import search
from tests.node.tenants import TIMEOUT_S, Tenant, open_enforced

SPACE = "enforced-pods"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
OTHERS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@pytest.fixture(scope="module")
def tenant(node: Node, installed: Images) -> Tenant:
    return open_enforced(node, SPACE)


def volume(name: str = "own", **source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": name, **source}]}


def app(**fields: Any) -> dict[str, Any]:
    return {"app": fields}


def security(**fields: Any) -> dict[str, Any]:
    return app(securityContext=fields)


TOKEN = {"serviceAccountToken": {"path": "token", "audience": "vault"}}
BREACHES = {
    "reserved-volume mount": app(volumeMounts=[{"name": "mca-token", "mountPath": "/reach"}]),
    "reserved-volume of an init container": {"initContainers": [{
        "name": "first", "image": APPLICATION_IMAGE,
        "volumeMounts": [{"name": "mca-identity", "mountPath": "/reach"}]}]},
    "reserved-volume device": app(volumeDevices=[{"name": "mca-token", "devicePath": "/reach"}]),
    "reserved-volume key": app(env=[{"name": "T", "valueFrom": {"fileKeyRef": {
        "volumeName": "mca-token", "path": "token", "key": "T"}}}]),
    "reserved-name": volume("mca-other", emptyDir={}),
    "reserved-secret mounted": volume(secret={"secretName": "mca-members"}),
    "reserved-secret in the environment": app(envFrom=[{"secretRef": {"name": "mca-members"}}]),
    "token-volume": volume(projected={"sources": [
        {"serviceAccountToken": {"path": "token"}}]}),
    "token-volume for another audience": volume(projected={"sources": [TOKEN]}),
    "host-path": volume(hostPath={"path": "/var/lib/kubelet"}),
    "csi-volume": volume(csi={"driver": "secrets-store.csi.k8s.io"}),
    "image-volume": volume(image={"reference": APPLICATION_IMAGE}),
    "sub-path-expr": {**volume(emptyDir={}), **app(volumeMounts=[
        {"name": "own", "mountPath": "/reach", "subPathExpr": "../$(HOSTNAME)"}])},
    "host-pid": {"hostPID": True},
    "host-ipc": {"hostIPC": True},
    "host-network": {"hostNetwork": True},
    "share-process-namespace": {"shareProcessNamespace": True},
    "sidecar-uid": {"securityContext": {"runAsUser": 64430}},
    "sidecar-uid of a container": security(runAsUser=64430),
    "privileged": security(privileged=True),
    "capabilities": security(capabilities={"add": ["SYS_PTRACE"]}),
    "proc-mount": {"hostUsers": False, **security(procMount="Unmasked")},
    "port-conflict": app(ports=[{"containerPort": 6443}]),
    "invalid-annotation": {"annotations": {"mca.io/image": APPLICATION_IMAGE}},
    "opted-out": {"annotations": {"mca.io/inject": "false"}},
}  # fmt: skip


@pytest.mark.parametrize("case", BREACHES)
def test_pods_that_would_reach_a_credential_are_refused(tenant: Tenant, case: str) -> None:
    spec = copy.deepcopy(BREACHES[case])
    more, annotations = spec.pop("app", {}), spec.pop("annotations", {})
    pod = write_pod("reaching", serviceAccountName="app", **spec)
    pod["metadata"]["annotations"] = annotations
    mounts = [{"name": each["name"], "mountPath": "/reach"} for each in spec.get("volumes", ())]
    pod["spec"]["containers"][0] |= {"volumeMounts": mounts, **more}
    done = tenant.create(pod)
    assert done.returncode != 0, done.stdout
    assert 'admission webhook "enforced.inject.mca.io" denied' in done.stderr, done.stderr
    assert case.partition(" ")[0] in done.stderr, done.stderr


def test_56_a_copied_pod_gets_a_sidecar_made_anew(
    node: Node, installed: Images, tenant: Tenant
) -> None:
    """The sidecar that it brings runs the tenant's command, as root, with the token in sight."""
    pod = tenant.request("GET", f"/api/v1/namespaces/{SPACE}/pods/app").json()
    forged = pod["spec"]["initContainers"][0]
    forged |= {
        "image": APPLICATION_IMAGE,
        "command": ["sh", "-c", f"cp {ACCOUNT}/token /var/run/mca/clients/app/won; sleep 600"],
        "securityContext": {"runAsUser": 0},
    }
    pod["metadata"] = {"name": "copied"}
    pod["spec"].pop("nodeName")
    done = tenant.create(pod)
    assert done.returncode == 0, done.stderr
    made = node.wait_for_pod(SPACE, "copied")["spec"]["initContainers"][0]
    assert (made["image"], made.get("command")) == (installed.sidecar, None)
    assert made["securityContext"]["runAsUser"] == 64430
    assert search(node, SPACE, "copied") == []


def test_56_kubectl_debug_copies_a_pod_with_a_new_sidecar(
    node: Node, installed: Images, tenant: Tenant
) -> None:
    """As it comes it shares the processes of all containers, which is refused."""
    debug = (
        "debug", "app", "--copy-to=debugged", "--container=app", f"--image={APPLICATION_IMAGE}",
        "--image-pull-policy=Never", "--profile=baseline",
    )  # fmt: skip
    done = tenant.kubectl(*debug, "--", "sleep", "600")
    assert "share-process-namespace" in done.stderr, done
    done = tenant.kubectl(*debug, "--share-processes=false", "--", "sleep", "600")
    assert done.returncode == 0, done.stderr
    made = node.wait_for_pod(SPACE, "debugged")["spec"]["initContainers"]
    assert [(each["name"], each["image"]) for each in made] == [("mca", installed.sidecar)]
    assert search(node, SPACE, "debugged") == []


@contextmanager
def meddling(node: Node, folder: Path) -> Iterator[Meddler]:
    """Another webhook behind ours, for this namespace."""
    with Meddler(folder) as meddler:
        registration = meddler.registration()
        name = registration["metadata"]["name"]
        selector = {"matchLabels": {"kubernetes.io/metadata.name": SPACE}}
        registration["webhooks"][0]["namespaceSelector"] = selector
        node.plane.create(OTHERS, registration)
        try:
            yield meddler
        finally:
            node.plane.request("DELETE", f"{OTHERS}/{name}")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/spec/initContainers/0/image", "value": APPLICATION_IMAGE},
        {"op": "add", "path": "/spec/initContainers/0/command", "value": ["sleep", "600"]},
        {"op": "add", "path": "/spec/containers/0/volumeMounts/-",
         "value": {"name": "mca-token", "mountPath": "/reach"}},
        {"op": "remove", "path": "/spec/initContainers"},
    ],
    ids=lambda operation: operation["path"],
)  # fmt: skip
def test_57_what_another_webhook_changes_afterwards_is_refused(
    node: Node, tenant: Tenant, tmp_path: Path, operation: dict[str, Any]
) -> None:
    with meddling(node, tmp_path) as meddler:
        meddler.operations = [operation]
        pod = write_pod("meddled", serviceAccountName="app")
        deadline = time.monotonic() + TIMEOUT_S
        # The API server learns of the other webhook a moment later.
        while (done := tenant.kubectl(
            "create", "--dry-run=server", "-f", "-", input=json.dumps(pod))
        ).returncode == 0:  # fmt: skip
            assert time.monotonic() < deadline, done.stdout
            time.sleep(0.2)
    refusing = ("ValidatingAdmissionPolicy 'mca-final-pods'", "enforced.inject.mca.io")
    assert any(name in done.stderr for name in refusing), done.stderr


def test_67_labels_of_mca_spare_nobody(node: Node, tenant: Tenant) -> None:
    labels = {"app.kubernetes.io/name": "mca", "app.kubernetes.io/part-of": "mca"}
    pod = write_pod("labelled", serviceAccountName="app")
    pod["metadata"]["labels"] = labels | {"app.kubernetes.io/component": "webhook"}
    assert tenant.create(pod).returncode == 0
    made = node.wait_for_pod(SPACE, "labelled")["spec"]["initContainers"]
    assert [each["name"] for each in made] == ["mca"]
