"""Owns what watches the webhook: a ServiceMonitor, and a ConfigMap that Grafana's sidecar loads.

Must not draw the dashboard: dashboard.py does.
"""

import json

from webhook.install.dashboard import build_dashboard
from webhook.install.names import (
    CA_SECRET,
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
    secret = TLS_SECRET if settings.cert_manager else CA_SECRET
    endpoint = {
        "port": PORT_NAME,
        "scheme": "https",
        "path": "/metrics",
        "tlsConfig": {
            "ca": {"secret": {"name": secret, "key": "ca.crt"}},
            "serverName": f"{WEBHOOK}.{settings.namespace}.svc",
        },
    }
    return [
        Remarked(
            "For the Prometheus operator, which reads one key of the Secret: the certificates "
            "that the webhook's own is verified by.",
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
    metadata = describe("mca-webhook-dashboard", settings.namespace)
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
