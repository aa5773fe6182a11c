"""Labelled namespaces on the node, and what an application finds in a pod there.

Owns how a test opens a namespace and searches a pod. Must not know what a test asks of them.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.identity import KEY_FILE, SEED_FILE
from tests.node.node import Node
from webhook.admission.names import (
    BROKER_VOLUME,
    IDENTITY_VOLUME,
    LABEL_BOUNDARY,
    LABEL_INJECTION,
    MEMBERS_VOLUME,
    TOKEN_VOLUME,
)

SEARCH = Path(__file__).with_name("search.py").read_text()
READY_TIMEOUT_S = 60.0
INJECTED = {LABEL_INJECTION: "enabled"}
ENFORCED = {
    **INJECTED,
    LABEL_BOUNDARY: "enforced",
    "pod-security.kubernetes.io/enforce": "baseline",
}


def open_namespace(
    node: Node,
    name: str,
    account: str,
    cluster_role: str,
    labels: Mapping[str, str] = INJECTED,
) -> None:
    """A labelled namespace with an account; returns when its pods are injected."""
    node.plane.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels)}})
    node.plane.create_service_account(name, account, cluster_role=cluster_role)
    spec = {"serviceAccountName": account, "containers": [{"name": "a", "image": "a"}]}
    probe = {"metadata": {"name": "probe"}, "spec": spec}
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        pods = f"/api/v1/namespaces/{name}/pods?dryRun=All"
        answer = node.plane.request("POST", pods, probe)
        if list_init_containers(answer.json())[:1] == ["mca"]:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"pods of {name} get no sidecar: {answer.body.decode()}")
        time.sleep(0.2)


def create(node: Node, namespace: str, pod: dict[str, Any]) -> None:
    """A pod that is injected."""
    made = node.plane.create(f"/api/v1/namespaces/{namespace}/pods", pod)
    assert list_init_containers(made)[:1] == ["mca"], made


def list_init_containers(pod: Any) -> list[str]:
    """Their names, in order."""
    return [one["name"] for one in pod.get("spec", {}).get("initContainers", ())]


def search(
    node: Node, namespace: str, name: str, container: str = "app", *more: bytes
) -> list[str]:
    """The places of credentials that can be found in a container of the pod.

    What its sidecar holds is looked for by its very bytes. They go in by a pipe, with the search
    itself: no file and no argument has them.
    """
    pod = node.plane.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}").json()
    secrets = [*more, *read_secrets(pod["metadata"]["uid"])]
    done = node.plane.kubectl(
        "exec", "-i", "-n", namespace, name, "-c", container, "--", "python3", "-",
        input=f"{SEARCH}\nmain({secrets!r})\n", timeout_s=300,
    )  # fmt: skip
    return done.stdout.splitlines()


def read_secrets(uid: str) -> list[bytes]:
    """What the sidecar of that pod has and nobody else may: as the kubelet of this machine sees it.

    Its real tokens, its private key, the seed of what it gives out; none without sidecar.
    """
    volumes = Path("/var/lib/kubelet/pods", uid, "volumes")
    identity = volumes / "kubernetes.io~empty-dir" / IDENTITY_VOLUME
    if not identity.exists():
        return []
    projected = volumes / "kubernetes.io~projected"
    tokens = {
        path.read_bytes()
        for name in (TOKEN_VOLUME, BROKER_VOLUME, MEMBERS_VOLUME)
        for pattern in ("token", "*/token")
        for path in (projected / name).glob(pattern)
    }
    # The line before says only what it is.
    key = (identity / KEY_FILE).read_bytes().splitlines()[1]
    return [key, (identity / SEED_FILE).read_bytes(), *tokens]
