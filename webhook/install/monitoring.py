"""Owns what watches our processes: ServiceMonitors, and a ConfigMap that Grafana's sidecar loads.

Must not draw the dashboard: dashboard.py does.
"""

import json

from webhook.install.dashboard import build_dashboard
from webhook.install.names import (
    BROKER_TLS_SECRET,
    CA_MAP,
    DASHBOARD_MAP,
    OF_CONTROLLER,
    OF_WEBHOOK,
    PORT_NAME,
    TLS_SECRET,
    WEBHOOK,
    describe,
    label,
    select,
)
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings
from webhook.resources.names import BROKER_SERVICE, CONTROLLER


def build_monitoring(settings: InstallSettings) -> list[RawDocument]:
    """Each by a setting: not every cluster has who would read it."""
    monitors = [
        _build_service_monitor(settings, WEBHOOK, OF_WEBHOOK, WEBHOOK, TLS_SECRET),
        _build_service_monitor(
            settings, CONTROLLER, OF_CONTROLLER, BROKER_SERVICE, BROKER_TLS_SECRET
        ),
    ]
    return [*(monitors if settings.service_monitor else []), *_build_dashboard_map(settings)]


def _build_service_monitor(
    settings: InstallSettings, name: str, component: str, service: str, secret: str
) -> RawDocument:
    authority = (
        {"secret": {"name": secret, "key": "ca.crt"}}
        if settings.cert_manager
        else {"configMap": {"name": CA_MAP, "key": "ca.crt"}}
    )
    endpoint = {
        "port": PORT_NAME,
        "scheme": "https",
        "path": "/metrics",
        "tlsConfig": {
            "ca": authority,
            "serverName": f"{service}.{settings.namespace}.svc",
        },
    }
    return Remarked(
        "For the Prometheus operator. It reads what the certificate is verified by: of MCA's own "
        "from a ConfigMap, of cert-manager's from one key of its Secret.",
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": describe(name, settings.namespace, component),
            "spec": {
                "selector": {"matchLabels": select(component)},
                "endpoints": [endpoint],
            },
        },
    )


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
