"""Owns who reaches the webhook and whom it reaches: Service, NetworkPolicy, FlowSchema.

Must not know the pods beyond their labels and ports.
"""

from typing import Final

from webhook.install.names import PORT, PORT_NAME, SELECTOR, WEBHOOK, describe
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings

SERVICE_PORT: Final = 443
_DNS_PORTS: Final = ("UDP", "TCP")
_FLOW_API: Final = "flowcontrol.apiserver.k8s.io/v1"


def build_service(settings: InstallSettings) -> list[RawDocument]:
    """Where the API server finds the webhook."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": describe(WEBHOOK, settings.namespace),
            "spec": {
                "type": "ClusterIP",
                "selector": dict(SELECTOR),
                "ports": [
                    {
                        "name": PORT_NAME,
                        "port": SERVICE_PORT,
                        "protocol": "TCP",
                        "targetPort": PORT_NAME,
                    }
                ],
            },
        }
    ]


def build_network_policy(settings: InstallSettings) -> list[RawDocument]:
    """One port in; DNS and the API server out."""
    dns = [{"protocol": protocol, "port": 53} for protocol in _DNS_PORTS]
    api = [{"protocol": "TCP", "port": port} for port in settings.api_server_ports]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": describe(WEBHOOK, settings.namespace),
        "spec": {
            "podSelector": {"matchLabels": dict(SELECTOR)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                Remarked(
                    "Reviews and metrics. From anywhere: the API server is on the host network of "
                    "nodes, or outside of the cluster, which no selector can name.",
                    {"ports": [{"protocol": "TCP", "port": PORT}]},
                )
            ],
            "egress": [
                Remarked("The API server's name, where its address is not an IP.", {"ports": dns}),
                Remarked(
                    "The API server, by the ports of its endpoints: its address is not known here.",
                    {"ports": api},
                ),
            ],
        },
    }
    return [
        Remarked(
            "Where the cluster's network enforces policies, nothing else gets through.", policy
        )
    ]


def build_flow_schema(settings: InstallSettings) -> list[RawDocument]:
    """The few calls of the webhook about its certificates do not wait behind those of tenants."""
    return [
        Remarked(
            "The webhook's few calls, about its certificates, do not queue behind those of "
            "tenants' service accounts: new pods wait for them.",
            {
                "apiVersion": _FLOW_API,
                "kind": "FlowSchema",
                "metadata": describe(WEBHOOK),
                "spec": {
                    "priorityLevelConfiguration": {"name": "workload-high"},
                    # Before service-accounts (9000), where it would be without this.
                    "matchingPrecedence": 1000,
                    "distinguisherMethod": {"type": "ByUser"},
                    "rules": [
                        {
                            "subjects": [
                                {
                                    "kind": "ServiceAccount",
                                    "serviceAccount": {
                                        "name": WEBHOOK,
                                        "namespace": settings.namespace,
                                    },
                                }
                            ],
                            "resourceRules": [
                                {
                                    "apiGroups": ["*"],
                                    "resources": ["*"],
                                    "verbs": ["*"],
                                    "namespaces": ["*"],
                                    "clusterScope": True,
                                }
                            ],
                        }
                    ],
                },
            },
        )
    ]
