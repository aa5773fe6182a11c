"""Pods as they stand when all webhooks are through, and ways to spoil them.

Owns the shape of a good one. Must not know what any guard says.
"""

import copy
from collections.abc import Callable
from typing import Any

from tests.manifests.scene import IMAGE, SETTINGS

ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
BROKER = "mca.io/broker"
# What tells a sidecar of the controller's policy.
POLICY = {
    "MCA_SNAPSHOT": "/var/run/mca/policy/snapshot.v1.json",
    "MCA_SNAPSHOT_WATCH": "mca-policy",
    "MCA_BROKER": "https://mca-broker.mca-system.svc:8444",
    "MCA_BROKER_TOKEN": "/var/run/mca/broker/token",
    "MCA_MEMBERS": "[]",
}
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
                {"name": "mca-policy", "configMap": {"name": "mca-policy", "optional": True}},
                {"name": "mca-broker", "projected": {"sources": [token_source(BROKER)]}},
            ],
        },
    }


def token_source(audience: str = "", path: str = "token") -> dict[str, Any]:
    token: dict[str, Any] = {"path": path, "expirationSeconds": 3607}
    return {"serviceAccountToken": token | ({"audience": audience} if audience else {})}


def spoil(*changes: Change, name: str = "bad") -> RawPod:
    pod = copy.deepcopy(good_pod(name))
    for change in changes:
        change(pod)
    return pod


def sidecar(**fields: Any) -> Change:
    """Fields of the sidecar."""
    return lambda pod: pod["spec"]["initContainers"][0].update(fields)


def tell(**variables: str) -> Change:
    """Variables of the sidecar, in place of those that it has."""

    def change(pod: RawPod) -> None:
        container = pod["spec"]["initContainers"][0]
        env = {each["name"]: each for each in container["env"]}
        container["env"] = list(
            (
                env | {name: {"name": name, "value": text} for name, text in variables.items()}
            ).values()
        )

    return change


def by_home_alone(pod: RawPod) -> None:
    """As sidecars are that no controller has a policy for."""
    container = pod["spec"]["initContainers"][0]
    container["env"] = [each for each in container["env"] if each["name"] == "MCA_CONTAINERS"]
    kept = {"mca-identity", "mca-clients", "mca-token"}
    container["volumeMounts"] = [each for each in container["volumeMounts"] if each["name"] in kept]


def with_member(**token: Any) -> Change:
    """A token for a member beside the broker's; `token` is what is odd about it."""

    def change(pod: RawPod) -> None:
        spec, source = pod["spec"], token_source("mca.io/cluster/7", "eu-1/token")
        source["serviceAccountToken"] |= token
        members = {"name": "mca-members", "projected": {"sources": [source]}}
        spec["volumes"].append(members)
        spec["initContainers"][0]["volumeMounts"].append(
            {"name": "mca-members", "mountPath": "/var/run/mca/members", "readOnly": True}
        )

    return change


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
        "env": [
            {"name": "MCA_CONTAINERS", "value": "setup,app"},
            *({"name": name, "value": text} for name, text in POLICY.items()),
        ],
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
            {"name": "mca-policy", "mountPath": "/var/run/mca/policy", "readOnly": True},
            {"name": "mca-broker", "mountPath": "/var/run/mca/broker", "readOnly": True},
        ],
    }
