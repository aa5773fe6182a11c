"""Owns what the two children of a run find in their environments, and the command's kubeconfig.

Must not start anything. The command's environment leads to the sidecar and nowhere else: what
other clients (Helm, Terraform, Ansible, Java) would read a credential or a server from is removed.
"""

import json
from collections.abc import Mapping

CONTAINER = "app"

_REMOVED = ("KUBECONFIG", "KUBERNETES_", "KUBE_", "HELM_KUBE", "K8S_AUTH_", "MCA_")
_KEPT = frozenset({"KUBE_EDITOR"})

# Not the user's to set here, and not set by us either.
_FIXED = frozenset(
    {
        "MCA_SERVICE_ACCOUNT", "MCA_SERVICE_ACCOUNT_DIR", "MCA_METRICS", "MCA_MEMBERS",
        "MCA_MEMBERS_DIR", "MCA_SNAPSHOT_WATCH", "MCA_BROKER", "MCA_BROKER_TOKEN",
    }
)  # fmt: skip


def sidecar_env(
    env: Mapping[str, str], private: str, shown: str, namespace: str, *, refresh_wait_s: float
) -> dict[str, str]:
    """All but the ports; a limit that the user has set by its variable stays.

    `private` is the sidecar's folder, `shown` the one that its client may know.
    """
    return {
        **{name: value for name, value in env.items() if name not in _FIXED},
        "MCA_SNAPSHOT": f"{private}/snapshot.json",
        "MCA_IDENTITY_DIR": f"{private}/identity",
        "MCA_CLIENTS_DIR": f"{shown}/clients",
        "MCA_CONTAINERS": CONTAINER,
        "MCA_NAMESPACE": namespace,
        "MCA_POD": "mca-run",
        "MCA_LOG_LEVEL": "info",
        "MCA_REFRESH_WAIT": f"{refresh_wait_s:g}",
    }


def command_env(env: Mapping[str, str], kubeconfig: str, host: str, port: int) -> dict[str, str]:
    """What a pod's container would find, and a kubeconfig for those who look for one."""
    kept = {
        name: value for name, value in env.items() if name in _KEPT or not name.startswith(_REMOVED)
    }
    for name in ("NO_PROXY", "no_proxy"):
        # Else HTTPS_PROXY would be asked for 127.0.0.1 by Python's client.
        listed = [item for item in kept.get(name, "").split(",") if item.strip()]
        kept[name] = ",".join(listed if host in listed else [*listed, host])
    return {
        **kept,
        "KUBECONFIG": kubeconfig,
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
    }


def render_kubeconfig(shown: str, context: str, namespace: str, host: str, port: int) -> bytes:
    """One context, under the name that its user knows it by (JSON is YAML)."""
    client = f"{shown}/clients/{CONTAINER}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [
            {"name": context, "context": {"cluster": "mca", "user": "mca", "namespace": namespace}}
        ],
        "clusters": [
            {
                "name": "mca",
                "cluster": {
                    "server": f"https://{host}:{port}",
                    "certificate-authority": f"{client}/ca.crt",
                },
            }
        ],
        "users": [{"name": "mca", "user": {"tokenFile": f"{client}/token"}}],
    }
    return json.dumps(document, indent=1).encode()
