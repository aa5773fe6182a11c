"""Owns the names and labels of what is installed. Must not build an object."""

from typing import Any, Final

from webhook.install.remarks import RawDocument

APP: Final = "mca"
WEBHOOK: Final = "mca-webhook"
CA_SECRET: Final = "mca-webhook-ca"  # noqa: S105 - the name of a Secret
CA_MAP: Final = "mca-webhook-ca"
DASHBOARD_MAP: Final = "mca-webhook-dashboard"
TLS_SECRET: Final = "mca-webhook-tls"  # noqa: S105 - the name of a Secret
BROKER_TLS_SECRET: Final = "mca-broker-tls"  # noqa: S105 - the name of a Secret
# What sidecars live by: snapshots of the controller's, or their own cluster alone ("home").
SIDECAR_POLICY: Final = "controller"
PORT: Final = 8443
PORT_NAME: Final = "https"
# Of no base image that we know, and not the sidecar's.
CONTROL_UID: Final = 64431
OF_WEBHOOK: Final = "webhook"
OF_CONTROLLER: Final = "controller"


def select(component: str) -> dict[str, str]:
    """By these a Service finds its pods: they cannot change in the life of a Deployment."""
    return {"app.kubernetes.io/name": APP, "app.kubernetes.io/component": component}


def describe(
    name: str, namespace: str = "", component: str = OF_WEBHOOK, **more: Any
) -> RawDocument:
    """The metadata of an object; without a namespace for what has none."""
    where = {"namespace": namespace} if namespace else {}
    return {"name": name, **where, "labels": label({}, component), **more}


def label(labels: dict[str, str], component: str = OF_WEBHOOK) -> dict[str, str]:
    """Labels that every object of ours has, beside those it came with."""
    return {**labels, **select(component), "app.kubernetes.io/part-of": APP}
