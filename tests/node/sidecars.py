"""The sidecar's image on the node, and the webhook that gives it to pods.

Owns how a test gets at both. Must not know what a test asks of them.
"""

import base64
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.controlplane import ServerProcess
from tests.node.images import SIDECAR_IMAGE, build_sidecar
from tests.node.node import Node
from webhook.admission.names import LABEL_BOUNDARY, LABEL_INJECTION
from webhook.admission.registration import build_registration

SEARCH = Path(__file__).with_name("search.py").read_text()
WEBHOOK_PORT = 8443
READY_TIMEOUT_S = 60.0
INJECTED = {LABEL_INJECTION: "enabled"}
ENFORCED = {
    **INJECTED,
    LABEL_BOUNDARY: "enforced",
    "pod-security.kubernetes.io/enforce": "baseline",
}


def load_sidecar(node: Node) -> str:
    """Build the image from this tree and import it; its name with its digest."""
    archive = node.folder / "sidecar.tar"
    digest = build_sidecar(archive)
    node.import_image(archive)
    image = f"{SIDECAR_IMAGE}@{digest}"
    node.ctr("images", "tag", "--force", f"{SIDECAR_IMAGE}:1", image)
    archive.unlink()
    return image


def start_webhook(node: Node, image: str) -> ServerProcess:
    """`mca webhook`, registered; returns when a pod would reach it."""
    serving = node.plane.authority.issue_server("webhook", ["127.0.0.1"])
    launch = Path(sys.executable).with_name("mca")
    webhook = ServerProcess(
        [sys.executable, str(launch), "webhook"],
        log=node.folder / "webhook.log",
        environment={
            "PATH": os.environ.get("PATH", ""),
            "MCA_WEBHOOK_LISTEN": f"127.0.0.1:{WEBHOOK_PORT}",
            "MCA_WEBHOOK_CERT": str(serving.certificate),
            "MCA_WEBHOOK_KEY": str(serving.key),
            "MCA_SIDECAR_IMAGE": image,
        },
    )
    address = {"url": f"https://127.0.0.1:{WEBHOOK_PORT}"}
    bundle = base64.b64encode(node.plane.ca_pem.encode()).decode()
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    node.plane.create(path, build_registration(address, bundle, ()))
    return webhook


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


def list_init_containers(pod: Any) -> list[str]:
    """Their names, in order."""
    return [one["name"] for one in pod.get("spec", {}).get("initContainers", ())]


def search(node: Node, namespace: str, name: str, container: str = "app") -> list[str]:
    """The places of credentials that can be found in a container of the pod."""
    done = node.plane.kubectl(
        "exec", "-i", "-n", namespace, name, "-c", container, "--", "python3", "-", input=SEARCH,
        timeout_s=300,
    )  # fmt: skip
    return done.stdout.splitlines()
