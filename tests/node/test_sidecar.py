"""A native sidecar, written by hand, on a real node: unmodified clients work through it."""

from typing import Any

from tests.node.installation import Images
from tests.node.node import Node
from tests.node.pods import write_pod
from webhook.admission.settings import SIDECAR_UID

ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
PYTHON = """\
from kubernetes import client, config

config.load_incluster_config()
print(*(pod.metadata.name for pod in client.CoreV1Api().list_namespaced_pod("by-hand").items))
"""


def write_sidecar(image: str) -> dict[str, Any]:
    """The container, as the README describes it."""
    return {
        "name": "mca",
        "image": image,
        "imagePullPolicy": "Never",
        "restartPolicy": "Always",
        "env": [{"name": "MCA_CONTAINERS", "value": "app"}],
        "startupProbe": {"httpGet": {"path": "/readyz", "port": 6444}, "periodSeconds": 1,
                         "failureThreshold": 60},
        "securityContext": {"runAsUser": SIDECAR_UID, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "identity", "mountPath": "/var/run/mca/identity"},
            {"name": "clients", "mountPath": "/var/run/mca/clients"},
        ],
    }  # fmt: skip


def test_kubectl_and_python_work_through_a_sidecar(node: Node, images: Images) -> None:
    node.plane.create_service_account("by-hand", "app", cluster_role="system:aggregate-to-view")
    script = f"set -e; kubectl get pods -o name; python3 -c '{PYTHON}'; env"
    pod = write_pod(
        "by-hand",
        script,
        serviceAccountName="app",
        initContainers=[write_sidecar(images.sidecar)],
        volumes=[{"name": name, "emptyDir": {"medium": "Memory"}} for name in
                 ("identity", "clients")],
    )  # fmt: skip
    pod["spec"]["containers"][0] |= {
        "env": [
            {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
            {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
        ],
        "volumeMounts": [{"name": "clients", "mountPath": ACCOUNT_PATH, "subPath": "app",
                          "readOnly": True}],
    }  # fmt: skip
    node.plane.create("/api/v1/namespaces/by-hand/pods", pod)
    node.wait_for_pod("by-hand", "by-hand", "Succeeded")
    printed = node.plane.kubectl("logs", "-n", "by-hand", "by-hand", "-c", "app").stdout
    assert printed.splitlines()[:2] == ["pod/by-hand", "by-hand"]
    audit = node.plane.kubectl("logs", "-n", "by-hand", "by-hand", "-c", "mca").stdout
    assert audit.count('"type":"audit"') >= 2 or audit.count('"type": "audit"') >= 2
