"""Pods as they stand when all webhooks are through, and ways to spoil them.

Owns the shape of a good one. Must not know what any guard says.
"""

import copy
from collections.abc import Callable
from typing import Any

from tests.manifests.scene import IMAGE, SETTINGS

ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
RawPod = dict[str, Any]
Change = Callable[[RawPod], object]


def good_pod(name: str = "good") -> RawPod:
    """What injection makes of a pod with an init container and one other."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": "owner",
            "automountServiceAccountToken": False,
            "initContainers": [_sidecar(), _application("setup")],
            "containers": [_application("app")],
            "volumes": [
                {"name": "work", "emptyDir": {}},
                {"name": "mca-identity", "emptyDir": {"medium": "Memory"}},
                {"name": "mca-clients", "emptyDir": {"medium": "Memory"}},
                {"name": "mca-token", "projected": {"sources": [token_source()]}},
            ],
        },
    }


def token_source(audience: str = "") -> dict[str, Any]:
    token: dict[str, Any] = {"path": "token", "expirationSeconds": 3607}
    return {"serviceAccountToken": token | ({"audience": audience} if audience else {})}


def spoil(*changes: Change, name: str = "bad") -> RawPod:
    pod = copy.deepcopy(good_pod(name))
    for change in changes:
        change(pod)
    return pod


def sidecar(**fields: Any) -> Change:
    """Fields of the sidecar."""
    return lambda pod: pod["spec"]["initContainers"][0].update(fields)


def security(**fields: Any) -> Change:
    """Fields of the sidecar's security context."""
    return lambda pod: pod["spec"]["initContainers"][0]["securityContext"].update(fields)


def app(**fields: Any) -> Change:
    """Fields of the application's container."""
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def setup(**fields: Any) -> Change:
    """Fields of the application's init container."""
    return lambda pod: pod["spec"]["initContainers"][1].update(fields)


def spec(**fields: Any) -> Change:
    """Fields of the pod's spec."""
    return lambda pod: pod["spec"].update(fields)


def volume(**fields: Any) -> Change:
    """One more volume, `extra`."""
    return lambda pod: pod["spec"]["volumes"].append({"name": "extra"} | fields)


def mount(**fields: Any) -> dict[str, Any]:
    """One more mount for the application's container."""
    return {"volumeMounts": [client_mount("app"), {"mountPath": "/extra"} | fields]}


def client_mount(container: str) -> dict[str, Any]:
    return {
        "name": "mca-clients",
        "mountPath": ACCOUNT_PATH,
        "subPath": container,
        "readOnly": True,
    }


def _application(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": "app",
        "resources": {"requests": {"cpu": "1"}},
        "volumeMounts": [client_mount(name)],
    }


def _sidecar() -> dict[str, Any]:
    return {
        "name": "mca",
        "image": IMAGE,
        "restartPolicy": "Always",
        "env": [{"name": "MCA_CONTAINERS", "value": "setup,app"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "startupProbe": {"httpGet": {"path": "/readyz", "port": 6444}},
        "securityContext": {
            "runAsUser": SETTINGS.uid,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "mca-identity", "mountPath": "/var/run/mca/identity"},
            {"name": "mca-clients", "mountPath": "/var/run/mca/clients"},
            {"name": "mca-token", "mountPath": ACCOUNT_PATH, "readOnly": True},
        ],
    }
