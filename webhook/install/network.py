"""Owns who reaches our processes and whom they reach: Services, NetworkPolicies, FlowSchemas.

Must not know the pods beyond their labels and ports.
"""

from collections.abc import Sequence
from typing import Final

from webhook.install.names import (
    OF_CONTROLLER,
    OF_WEBHOOK,
    PORT,
    PORT_NAME,
    WEBHOOK,
    describe,
    select,
)
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings
from webhook.resources.names import BROKER_PORT, BROKER_SERVICE, CONTROLLER

SERVICE_PORT: Final = 443
_DNS_PORTS: Final = ("UDP", "TCP")
_FLOW_API: Final = "flowcontrol.apiserver.k8s.io/v1"


def build_services(settings: InstallSettings) -> list[RawDocument]:
    """Where the API server finds the webhook, and sidecars the broker."""
    return [
        _build_service(WEBHOOK, OF_WEBHOOK, SERVICE_PORT, settings.namespace),
        Remarked(
            "The broker: sidecars ask it for credentials of other clusters. Every replica answers.",
            _build_service(BROKER_SERVICE, OF_CONTROLLER, BROKER_PORT, settings.namespace),
        ),
    ]


def _build_service(name: str, component: str, port: int, namespace: str) -> RawDocument:
    target = {"name": PORT_NAME, "port": port, "protocol": "TCP", "targetPort": PORT_NAME}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": describe(name, namespace, component),
        "spec": {"type": "ClusterIP", "selector": select(component), "ports": [target]},
    }


def build_network_policies(settings: InstallSettings) -> list[RawDocument]:
    """One port in each; DNS and the API server out of the webhook."""
    dns = [{"protocol": protocol, "port": 53} for protocol in _DNS_PORTS]
    api = [{"protocol": "TCP", "port": port} for port in settings.api_server_ports]
    reviews = Remarked(
        "Reviews and metrics. From anywhere: the API server is on the host network of nodes, or "
        "outside of the cluster, which no selector can name.",
        _open(PORT),
    )
    out = [
        Remarked("The API server's name, where its address is not an IP.", {"ports": dns}),
        Remarked(
            "The API server, by the ports of its endpoints: its address is not known here.",
            {"ports": api},
        ),
    ]
    asked = Remarked(
        "Sidecars of every namespace, metrics, and the kubelet's questions.", _open(BROKER_PORT)
    )
    return [
        Remarked(
            "Where the cluster's network enforces policies, nothing else gets through.",
            _build_policy(
                WEBHOOK,
                OF_WEBHOOK,
                settings,
                policyTypes=["Ingress", "Egress"],
                ingress=[reviews],
                egress=out,
            ),
        ),
        Remarked(
            "The controller calls registered clusters, wherever they are: what it may reach is "
            "not narrowed.",
            _build_policy(
                CONTROLLER, OF_CONTROLLER, settings, policyTypes=["Ingress"], ingress=[asked]
            ),
        ),
    ]


def _open(port: int) -> RawDocument:
    return {"ports": [{"protocol": "TCP", "port": port}]}


def _build_policy(
    name: str, component: str, settings: InstallSettings, **rules: Sequence[RawDocument | str]
) -> RawDocument:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": describe(name, settings.namespace, component),
        "spec": {"podSelector": {"matchLabels": select(component)}, **rules},
    }


def build_flow_schemas(settings: InstallSettings) -> list[RawDocument]:
    """Our calls do not wait behind those of tenants."""
    return [
        Remarked(
            "The webhook's few calls, about its certificates, do not queue behind those of "
            "tenants' service accounts: new pods wait for them.",
            _build_flow_schema(WEBHOOK, OF_WEBHOOK, settings.namespace),
        ),
        Remarked(
            "The controller's neither: what admins take away must be gone within a second.",
            _build_flow_schema(CONTROLLER, OF_CONTROLLER, settings.namespace),
        ),
    ]


def _build_flow_schema(account: str, component: str, namespace: str) -> RawDocument:
    subject = {
        "kind": "ServiceAccount",
        "serviceAccount": {"name": account, "namespace": namespace},
    }
    everything = {
        "apiGroups": ["*"],
        "resources": ["*"],
        "verbs": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    return {
        "apiVersion": _FLOW_API,
        "kind": "FlowSchema",
        "metadata": describe(account, component=component),
        "spec": {
            "priorityLevelConfiguration": {"name": "workload-high"},
            # Before service-accounts (9000), where it would be without this.
            "matchingPrecedence": 1000,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": [subject], "resourceRules": [everything]}],
        },
    }
