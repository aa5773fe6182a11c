"""Owns what the pods of the webhook and of the controller have in common: how many, with which
rights on their node, where they run, and how they are replaced.

Must not say what a process is told: deployment.py and controller.py do.
"""

from typing import Any, Final, NamedTuple

from webhook.install.names import CONTROL_UID, PORT_NAME, describe, label, select
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings

# After SIGTERM new calls are still taken so long: until then every node has heard of it.
DRAIN_S: Final = 10
_GRACE_S: Final = 40
_CERTIFICATE: Final = "certificate"


class Workload(NamedTuple):
    """One Deployment: a process, its port, and what it is told.

    `certificate` is the Secret and the folder of its certificate, where others make that.
    """

    name: str
    component: str
    replicas: int
    port: int
    resources: RawDocument
    environment: list[RawDocument]
    certificate: tuple[str, str] | None = None


def build_workload(workload: Workload, settings: InstallSettings) -> list[RawDocument]:
    """The pods, and what keeps some of them."""
    chosen = {"matchLabels": select(workload.component)}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": describe(workload.name, settings.namespace, workload.component),
            "spec": {
                "replicas": workload.replicas,
                "minReadySeconds": 5,
                "revisionHistoryLimit": 3,
                "selector": chosen,
                "strategy": {
                    "type": "RollingUpdate",
                    # One more first: there is never one less.
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
                "template": {
                    "metadata": {"labels": label({}, workload.component)},
                    "spec": _pod(workload, settings),
                },
            },
        },
        Remarked(
            "Nodes are drained one replica at a time; replicas that do not work hold no drain up.",
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": describe(workload.name, settings.namespace, workload.component),
                "spec": {
                    "maxUnavailable": 1,
                    "unhealthyPodEvictionPolicy": "AlwaysAllow",
                    "selector": chosen,
                },
            },
        ),
    ]


def of_pod(field: str) -> RawDocument:
    """The value of a variable, out of the pod itself."""
    return {"fieldRef": {"fieldPath": field}}


def write_variables(texts: dict[str, str], fields: dict[str, str]) -> list[RawDocument]:
    """Fields of the pod, then texts."""
    return [
        *({"name": name, "valueFrom": of_pod(field)} for name, field in fields.items()),
        *({"name": name, "value": text} for name, text in texts.items()),
    ]


def _pod(workload: Workload, settings: InstallSettings) -> RawDocument:
    pod: RawDocument = {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_S,
    }
    if settings.priority_class:
        pod["priorityClassName"] = settings.priority_class
    if settings.node_selector:
        pod["nodeSelector"] = dict(settings.node_selector)
    if settings.tolerations:
        pod["tolerations"] = [dict(toleration) for toleration in settings.tolerations]
    if settings.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    pod["topologySpreadConstraints"] = [
        _spread("kubernetes.io/hostname", workload.component),
        _spread("topology.kubernetes.io/zone", workload.component),
    ]
    pod["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": CONTROL_UID,
        "runAsGroup": CONTROL_UID,
        "fsGroup": CONTROL_UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["containers"] = [_container(workload, settings)]
    if workload.certificate is not None:
        secret = {"secretName": workload.certificate[0], "defaultMode": 0o440}
        pod["volumes"] = [{"name": _CERTIFICATE, "secret": secret}]
    return pod


def _spread(key: str, component: str) -> RawDocument:
    """If it can be had: on a cluster of one node all replicas must start."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": select(component)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container(workload: Workload, settings: InstallSettings) -> RawDocument:
    container: RawDocument = {
        "name": workload.component,
        "image": settings.control_image,
        "args": [workload.component],
        "env": workload.environment,
        "ports": [{"name": PORT_NAME, "containerPort": workload.port, "protocol": "TCP"}],
        "readinessProbe": _probe("/readyz", periodSeconds=2, failureThreshold=2),
        "livenessProbe": _probe(
            "/livez", periodSeconds=10, failureThreshold=6, initialDelaySeconds=10
        ),
        "resources": workload.resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if workload.certificate is not None:
        mount = {"name": _CERTIFICATE, "mountPath": workload.certificate[1], "readOnly": True}
        container["volumeMounts"] = [mount]
    return container


def _probe(path: str, **timing: Any) -> RawDocument:
    return {
        "httpGet": {"path": path, "port": PORT_NAME, "scheme": "HTTPS"},
        "timeoutSeconds": 3,
        **timing,
    }
