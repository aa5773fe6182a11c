"""Owns the webhook's pods: how many, with which rights on their node, and how they are replaced.

Must not say what the process does with its settings: webhook/admission/environment.py does.
"""

from typing import Any, Final

from webhook.install.names import (
    CONTROL_UID,
    PORT,
    PORT_NAME,
    SELECTOR,
    TLS_SECRET,
    WEBHOOK,
    describe,
    label,
)
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings

# After SIGTERM new calls are still taken so long: until then every node has heard of it.
_DRAIN_S: Final = 10
_GRACE_S: Final = 40
_CERTIFICATE_PATH: Final = "/var/run/mca/webhook"


def build_deployment(settings: InstallSettings) -> list[RawDocument]:
    """The pods, what keeps some of them, and the leave to be as important as they are."""
    return [
        *_allow_priority(settings),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": describe(WEBHOOK, settings.namespace),
            "spec": {
                "replicas": settings.replicas,
                "minReadySeconds": 5,
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": dict(SELECTOR)},
                "strategy": {
                    "type": "RollingUpdate",
                    # One more first: there is never one less.
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
                "template": {"metadata": {"labels": label({})}, "spec": _pod(settings)},
            },
        },
        Remarked(
            "Nodes are drained one replica at a time; replicas that do not work hold no drain up.",
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": describe(WEBHOOK, settings.namespace),
                "spec": {
                    "maxUnavailable": 1,
                    "unhealthyPodEvictionPolicy": "AlwaysAllow",
                    "selector": {"matchLabels": dict(SELECTOR)},
                },
            },
        ),
    ]


def _allow_priority(settings: InstallSettings) -> list[RawDocument]:
    if not settings.priority_class:
        return []
    return [
        Remarked(
            "Some clouds let pods of critical classes start only where a quota names the class.",
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": describe("mca-critical-pods", settings.namespace),
                "spec": {
                    "hard": {"pods": "100"},
                    "scopeSelector": {
                        "matchExpressions": [
                            {
                                "scopeName": "PriorityClass",
                                "operator": "In",
                                "values": [settings.priority_class],
                            }
                        ]
                    },
                },
            },
        )
    ]


def _pod(settings: InstallSettings) -> RawDocument:
    pod: RawDocument = {
        "serviceAccountName": WEBHOOK,
        # For its certificates; with cert-manager it never calls the API.
        "automountServiceAccountToken": not settings.cert_manager,
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
        _spread("kubernetes.io/hostname"),
        _spread("topology.kubernetes.io/zone"),
    ]
    pod["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": CONTROL_UID,
        "runAsGroup": CONTROL_UID,
        "fsGroup": CONTROL_UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["containers"] = [_container(settings)]
    if settings.cert_manager:
        pod["volumes"] = [
            {
                "name": "certificate",
                "secret": {"secretName": TLS_SECRET, "defaultMode": 0o440},
            }
        ]
    return pod


def _spread(key: str) -> RawDocument:
    """If it can be had: on a cluster of one node all replicas must start."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(SELECTOR)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container(settings: InstallSettings) -> RawDocument:
    container: RawDocument = {
        "name": "webhook",
        "image": settings.control_image,
        "args": ["webhook"],
        "env": _environment(settings),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/readyz", periodSeconds=2, failureThreshold=2),
        "livenessProbe": _probe(
            "/livez", periodSeconds=10, failureThreshold=6, initialDelaySeconds=10
        ),
        "resources": {kind: dict(each) for kind, each in settings.webhook_resources.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if settings.cert_manager:
        container["volumeMounts"] = [
            {"name": "certificate", "mountPath": _CERTIFICATE_PATH, "readOnly": True}
        ]
    return container


def _probe(path: str, **timing: int) -> RawDocument:
    return {
        "httpGet": {"path": path, "port": PORT_NAME, "scheme": "HTTPS"},
        "timeoutSeconds": 3,
        **timing,
    }


def _environment(settings: InstallSettings) -> list[RawDocument]:
    resources = settings.sidecar_resources
    texts = {
        "MCA_WEBHOOK_CERTIFICATES": "files" if settings.cert_manager else "own",
        "MCA_WEBHOOK_SERVICE": WEBHOOK,
        "MCA_WEBHOOK_DRAIN": str(_DRAIN_S),
        "MCA_SIDECAR_IMAGE": settings.sidecar_image,
        "MCA_SIDECAR_LOG_LEVEL": settings.sidecar_log_level,
        "MCA_SIDECAR_CPU_REQUEST": resources.cpu_request or "none",
        "MCA_SIDECAR_MEMORY_REQUEST": resources.memory_request or "none",
        "MCA_SIDECAR_CPU_LIMIT": resources.cpu_limit or "none",
        "MCA_SIDECAR_MEMORY_LIMIT": resources.memory_limit or "none",
        "MCA_TOKEN_AUDIENCES": ",".join(settings.audiences) or "none",
    }
    of_pod: dict[str, Any] = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"name": "MCA_WEBHOOK_NAMESPACE", "valueFrom": of_pod},
        *({"name": name, "value": text} for name, text in texts.items()),
    ]
