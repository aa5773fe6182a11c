"""Owns the webhook's pods: what the process in them is told, and the leave to be so important.

Must not say what the process does with its settings: webhook/admission/environment.py does.
"""

from typing import Final

from webhook.install.names import OF_WEBHOOK, PORT, SIDECAR_POLICY, TLS_SECRET, WEBHOOK, describe
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings
from webhook.install.workload import DRAIN_S, Workload, build_workload, write_variables

_CERTIFICATE_PATH: Final = "/var/run/mca/webhook"


def build_deployment(settings: InstallSettings) -> list[RawDocument]:
    """The pods, what keeps some of them, and the leave to be as important as they are."""
    webhook = Workload(
        name=WEBHOOK,
        component=OF_WEBHOOK,
        replicas=settings.replicas,
        port=PORT,
        resources={kind: dict(each) for kind, each in settings.webhook_resources.items()},
        environment=_environment(settings),
        certificate=(TLS_SECRET, _CERTIFICATE_PATH) if settings.cert_manager else None,
    )
    return [*_allow_priority(settings), *build_workload(webhook, settings)]


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


def _environment(settings: InstallSettings) -> list[RawDocument]:
    resources = settings.sidecar_resources
    texts = {
        "MCA_WEBHOOK_CERTIFICATES": "files" if settings.cert_manager else "own",
        "MCA_WEBHOOK_SERVICE": WEBHOOK,
        "MCA_WEBHOOK_DRAIN": str(DRAIN_S),
        "MCA_SIDECAR_IMAGE": settings.sidecar_image,
        "MCA_SIDECAR_POLICY": SIDECAR_POLICY,
        "MCA_SIDECAR_LOG_LEVEL": settings.sidecar_log_level,
        "MCA_SIDECAR_CPU_REQUEST": resources.cpu_request or "none",
        "MCA_SIDECAR_MEMORY_REQUEST": resources.memory_request or "none",
        "MCA_SIDECAR_CPU_LIMIT": resources.cpu_limit or "none",
        "MCA_SIDECAR_MEMORY_LIMIT": resources.memory_limit or "none",
        "MCA_TOKEN_AUDIENCES": ",".join(settings.audiences) or "none",
    }
    return write_variables(texts, {"MCA_WEBHOOK_NAMESPACE": "metadata.namespace"})
