"""Owns the snapshot: everything a sidecar needs to decide, as a checked value. Format version 1.

The same code runs when a snapshot is compiled and when it is loaded. The parts are read by the
modules named snapshot_*. It must not touch a file: paths are only checked for their form.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.fields import DNS_LABEL, Check, Fields, read_json
from sidecar.policy.snapshot_clusters import (
    Brokered,
    CertFiles,
    Cluster,
    ClusterLimits,
    Credentials,
    HealthCheck,
    TokenFile,
    Withheld,
    read_clusters,
)
from sidecar.policy.verdict import HOME, shown

if TYPE_CHECKING:
    from sidecar.policy.snapshot_broker import Broker
    from sidecar.policy.snapshot_routes import Route
    from sidecar.policy.snapshot_tenant import Tenant

__all__ = (
    "API_VERSION",
    "HOME",
    "KIND",
    "MAX_EVENT_BYTES",
    "MAX_SNAPSHOT_BYTES",
    "VERSION",
    "Brokered",
    "CertFiles",
    "Cluster",
    "ClusterLimits",
    "Credentials",
    "HealthCheck",
    "Snapshot",
    "TokenFile",
    "Withheld",
    "parse_snapshot",
)

API_VERSION: Final = "mca.io/v1alpha1"
KIND: Final = "Snapshot"
VERSION: Final = 1

# A ConfigMap holds at most 1 MiB.
MAX_SNAPSHOT_BYTES: Final = 1024 * 1024
# The whole object as a watch brings it. The API server escapes the text once more: quotes and
# backslashes are two bytes there, <, > and & six. Whoever writes snapshots keeps them below.
MAX_EVENT_BYTES: Final = 2 * MAX_SNAPSHOT_BYTES
_MAX_ERRORS: Final = 50
_REVISION: Final = re.compile(r"[A-Za-z0-9._:+-]{1,128}")


class Snapshot(NamedTuple):
    """One namespace's rules. Without a tenant, RBAC alone limits what its callers may do."""

    revision: str
    namespace: str
    clusters: tuple[Cluster, ...]
    tenant: Tenant | None = None
    routes: tuple[Route, ...] = ()
    broker: Broker | None = None  # where there are credentials that no file holds


def parse_snapshot(raw: bytes) -> Snapshot | tuple[str, ...]:
    """The snapshot, or all that is wrong with it, each with its JSON path and the remedy."""
    if len(raw) > MAX_SNAPSHOT_BYTES:
        return (
            f"$: holds {len(raw)} bytes, at most {MAX_SNAPSHOT_BYTES} are read: remove clusters",
        )
    try:
        document = read_json(raw)
    except ValueError as error:
        return (f"$: {error}",)
    check = Check()
    snapshot = _read_snapshot(check, document)
    if check.errors or snapshot is None:
        return tuple(check.errors[:_MAX_ERRORS])
    return snapshot


def _read_snapshot(check: Check, document: object) -> Snapshot | None:
    if isinstance(document, Fields) and not _is_this_version(check, document):
        return None
    required = (
        "apiVersion",
        "kind",
        "version",
        "revision",
        "namespace",
        "tenant",
        "clusters",
        "routes",
    )
    top = check.fields(document, "", required, ("broker",))
    if top is None:
        return None
    check.constant(top["apiVersion"], "apiVersion", API_VERSION)
    check.constant(top["kind"], "kind", KIND)
    revision = check.text(
        top["revision"], "revision", _REVISION, "1 to 128 letters, digits and ._:+-"
    )
    namespace = check.text(
        top["namespace"], "namespace", DNS_LABEL, "a namespace's name (DNS-1123 label)"
    )
    tenant = None if top["tenant"] is None else _read_tenant(check, top["tenant"])
    clusters = read_clusters(check, top["clusters"])
    routes = () if top["routes"] == [] else _read_routes(check, top["routes"], clusters)
    broker = _read_broker(check, top.get("broker"), clusters)
    if revision is None or namespace is None or clusters is None:
        return None
    return Snapshot(revision, namespace, clusters, tenant, routes, broker)


# Most pods have neither a tenant, nor routes, nor a broker, and do not load what reads them.


def _read_tenant(check: Check, value: object) -> Tenant | None:
    from sidecar.policy.snapshot_tenant import read_tenant

    return read_tenant(check, value)


def _read_routes(
    check: Check, value: object, clusters: tuple[Cluster, ...] | None
) -> tuple[Route, ...]:
    from sidecar.policy.snapshot_routes import read_routes

    return read_routes(check, value, clusters)


def _read_broker(
    check: Check, value: object, clusters: tuple[Cluster, ...] | None
) -> Broker | None:
    if value is not None:
        from sidecar.policy.snapshot_broker import read_broker

        return read_broker(check, value)
    for cluster in clusters or ():
        if isinstance(cluster.credentials, Brokered):
            check.fail("broker", f"is missing: cluster {cluster.name!r} needs it")
    return None


def _is_this_version(check: Check, document: Fields) -> bool:
    """Another version may mean anything by its other fields: nothing else is said of it."""
    version = document.get("version", VERSION)
    if version == VERSION and not isinstance(version, bool | float):
        return True
    check.fail(
        "version",
        f"this sidecar reads version {VERSION} only, not {shown(json.dumps(version))}: "
        "write that version as well until every pod has been replaced",
    )
    return False
