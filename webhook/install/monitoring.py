"""Owns what watches the webhook: a ServiceMonitor, and a ConfigMap that Grafana's sidecar loads.

Must not draw the dashboard: dashboard.py does.
"""

import json

from webhook.install.dashboard import build_dashboard
from webhook.install.names import (
    CA_MAP,
    DASHBOARD_MAP,
    PORT_NAME,
    SELECTOR,
    TLS_SECRET,
    WEBHOOK,
    describe,
    label,
)
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings


def build_monitoring(settings: InstallSettings) -> list[RawDocument]:
    """Each by a setting: not every cluster has who would read it."""
    return [*_build_service_monitor(settings), *_build_dashboard_map(settings)]


def _build_service_monitor(settings: InstallSettings) -> list[RawDocument]:
    if not settings.service_monitor:
        return []
    authority = (
        {"secret": {"name": TLS_SECRET, "key": "ca.crt"}}
        if settings.cert_manager
        else {"configMap": {"name": CA_MAP, "key": "ca.crt"}}
    )
    endpoint = {
        "port": PORT_NAME,
        "scheme": "https",
        "path": "/metrics",
        "tlsConfig": {
            "ca": authority,
            "serverName": f"{WEBHOOK}.{settings.namespace}.svc",
        },
    }
    return [
        Remarked(
            "For the Prometheus operator. It reads what the webhook's certificate is verified by: "
            "of the webhook's own from a ConfigMap, of cert-manager's from one key of its Secret.",
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "ServiceMonitor",
                "metadata": describe(WEBHOOK, settings.namespace),
                "spec": {
                    "selector": {"matchLabels": dict(SELECTOR)},
                    "endpoints": [endpoint],
                },
            },
        )
    ]


def _build_dashboard_map(settings: InstallSettings) -> list[RawDocument]:
    if not settings.dashboard:
        return []
    metadata = describe(DASHBOARD_MAP, settings.namespace)
    metadata["labels"] = label({"grafana_dashboard": "1"})
    return [
        Remarked(
            "Found by the label, as Grafana's own chart looks for dashboards.",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata,
                "data": {"mca-webhook.json": json.dumps(build_dashboard(), indent=1) + "\n"},
            },
        )
    ]
