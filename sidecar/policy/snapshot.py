"""Owns the snapshot: everything a sidecar needs to decide, as a checked value. Format version 1.

The same code runs when a snapshot is compiled and when it is loaded. It must not touch a file:
paths are only checked for their form.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from sidecar.policy.snapshot_clusters import (
    CertFiles,
    Cluster,
    ClusterLimits,
    HealthCheck,
    TokenFile,
)
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Rate, Tenant, TenantLimits
from sidecar.policy.verdict import shown

__all__ = (
    "API_VERSION",
    "HOME",
    "KIND",
    "MAX_SNAPSHOT_BYTES",
    "VERSION",
    "CertFiles",
    "Cluster",
    "ClusterLimits",
    "ClusterResource",
    "HealthCheck",
    "Match",
    "Permission",
    "Rate",
    "Route",
    "RouteMember",
    "Snapshot",
    "Tenant",
    "TenantLimits",
    "TokenFile",
    "parse_snapshot",
)

API_VERSION: Final = "mca.io/v1alpha1"
KIND: Final = "Snapshot"
VERSION: Final = 1
HOME: Final = "home"

# A ConfigMap holds at most 1 MiB.
MAX_SNAPSHOT_BYTES: Final = 1024 * 1024
_MAX_CLUSTERS: Final = 256
_MAX_BUNDLE_BYTES: Final = 256 * 1024
_MAX_PATH: Final = 4096
_MAX_ERRORS: Final = 50

_DNS_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_SERVER: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_REVISION: Final = re.compile(r"[A-Za-z0-9._:+-]{1,128}")
_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]++)-----END CERTIFICATE-----"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One namespace's rules. Without a tenant, RBAC alone limits what its callers may do."""

    revision: str
    namespace: str
    clusters: tuple[Cluster, ...]
    tenant: Tenant | None = None
    routes: tuple[Route, ...] = ()


def parse_snapshot(raw: bytes) -> Snapshot | tuple[str, ...]:
    """The snapshot, or all that is wrong with it, each with its JSON path and the remedy."""
    if len(raw) > MAX_SNAPSHOT_BYTES:
        return (
            f"$: holds {len(raw)} bytes, at most {MAX_SNAPSHOT_BYTES} are read: remove clusters",
        )
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_Object)
    except UnicodeDecodeError:
        return ("$: is not UTF-8: write it as UTF-8 without a byte order mark",)
    except (ValueError, RecursionError) as error:
        return (f"$: is not JSON: {shown(str(error))}",)
    check = _Check()
    snapshot = check.snapshot(document)
    if check.errors or snapshot is None:
        return tuple(check.errors[:_MAX_ERRORS])
    return snapshot


class _Object(dict[str, object]):
    """A JSON object that remembers a key that was given twice."""

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice: str | None = None
        if len(self) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.twice = counts.most_common(1)[0][0]


class _Check:
    """Collects what is wrong while it builds; a part that is wrong becomes None."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def fail(self, path: str, message: str) -> None:
        self.errors.append(f"{path}: {message}")

    def snapshot(self, document: object) -> Snapshot | None:
        if isinstance(document, _Object) and not self.version(document):
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
        top = self.fields(document, "", required)
        if top is None:
            return None
        self.constant(top["apiVersion"], "apiVersion", API_VERSION)
        self.constant(top["kind"], "kind", KIND)
        if top["tenant"] is not None:
            self.fail("tenant", "must be null: this version of the sidecar serves no tenants")
        if top["routes"] != []:
            self.fail(
                "routes",
                "must be []: this version of the sidecar serves no routes, only the home cluster",
            )
        revision = self.text(
            top["revision"], "revision", _REVISION, "1 to 128 letters, digits and ._:+-"
        )
        namespace = self.text(
            top["namespace"], "namespace", _DNS_LABEL, "a namespace's name (DNS-1123 label)"
        )
        clusters = self.clusters(top["clusters"])
        if revision is None or namespace is None or clusters is None:
            return None
        return Snapshot(revision, namespace, clusters)

    def version(self, document: _Object) -> bool:
        """Another version may mean anything by its other fields: nothing else is said of it."""
        version = document.get("version", VERSION)
        if version == VERSION and not isinstance(version, (bool, float)):
            return True
        self.fail(
            "version",
            f"this sidecar reads version {VERSION} only, not {shown(json.dumps(version))}: "
            "write that version as well until every pod has been replaced",
        )
        return False

    def fields(
        self, value: object, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> _Object | None:
        where = path or "$"
        if not isinstance(value, _Object):
            self.fail(where, "must be an object")
            return None
        before = len(self.errors)
        if value.twice is not None:
            self.fail(where, f"gives {shown(value.twice)!r} twice: keep one")
        prefix = f"{path}." if path else ""
        for key in value:
            if key not in required and key not in optional:
                self.fail(f"{prefix}{shown(key)}", "is not a field of version 1: remove it")
        for key in required:
            if key not in value:
                self.fail(f"{prefix}{key}", "is missing")
        return value if len(self.errors) == before else None

    def constant(self, value: object, path: str, wanted: str) -> None:
        if value != wanted:
            self.fail(path, f"must be {wanted!r}")

    def text(self, value: object, path: str, pattern: re.Pattern[str], what: str) -> str | None:
        if isinstance(value, str) and pattern.fullmatch(value) is not None:
            return value
        self.fail(path, f"must be {what}")
        return None

    def file_path(self, value: object, path: str) -> str | None:
        if (
            isinstance(value, str)
            and value.startswith("/")
            and len(value) <= _MAX_PATH
            and value.isprintable()
            and ".." not in value.split("/")
        ):
            return value
        self.fail(path, f"must be an absolute path without '..', of at most {_MAX_PATH} characters")
        return None

    def clusters(self, value: object) -> tuple[Cluster, ...] | None:
        if not isinstance(value, list) or not 1 <= len(value) <= _MAX_CLUSTERS:
            self.fail("clusters", f"must be a list of 1 to {_MAX_CLUSTERS} clusters")
            return None
        clusters = [self.cluster(item, f"clusters[{index}]") for index, item in enumerate(value)]
        found = tuple(cluster for cluster in clusters if cluster is not None)
        if len(found) < len(clusters):
            return None
        names: set[str] = set()
        for index, cluster in enumerate(found):
            if cluster.name in names:
                self.fail(
                    f"clusters[{index}].name", f"{cluster.name!r} stands twice: names are unique"
                )
            names.add(cluster.name)
        if HOME not in names:
            self.fail("clusters", f"must hold the cluster {HOME!r}, the one that the pod runs in")
        return found

    def cluster(self, value: object, path: str) -> Cluster | None:
        item = self.fields(
            value, path, ("name", "server", "caBundle", "credentials"), ("tlsServerName",)
        )
        if item is None:
            return None
        name = self.text(
            item["name"], f"{path}.name", _DNS_LABEL, "a DNS-1123 label of at most 63 characters"
        )
        server = self.server(item["server"], f"{path}.server")
        bundle = self.ca_bundle(item["caBundle"], f"{path}.caBundle")
        server_name: str | None = None
        if item.get("tlsServerName") is not None:
            server_name = self.text(
                item["tlsServerName"], f"{path}.tlsServerName", _DNS_NAME, "null or a DNS name"
            )
        credentials = self.credentials(item["credentials"], f"{path}.credentials")
        if name is None or server is None or bundle is None or credentials is None:
            return None
        url, host, port = server
        return Cluster(name, url, host, port, *bundle, server_name, credentials)

    def server(self, value: object, path: str) -> tuple[str, str, int] | None:
        match = _SERVER.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self.fail(
                path, "must be https://host or https://host:port, without user, path or query"
            )
            return None
        host = match["host"]
        if host.startswith("["):
            host = host[1:-1]
        elif _DNS_NAME.fullmatch(host) is None:
            self.fail(path, "must name a DNS host or an IP address")
            return None
        port = int(match["port"] or 443)
        if not 1 <= port <= 65535:
            self.fail(path, "must have a port from 1 to 65535")
            return None
        return match[0], host, port

    def ca_bundle(self, value: object, path: str) -> tuple[bytes | None, str | None] | None:
        if isinstance(value, _Object):
            item = self.fields(value, path, ("caFile",))
            ca_file = None if item is None else self.file_path(item["caFile"], f"{path}.caFile")
            return None if ca_file is None else (None, ca_file)
        remedy = 'must be the CA certificates as base64 of PEM, or {"caFile": path}'
        if not isinstance(value, str) or len(value) > _MAX_BUNDLE_BYTES:
            self.fail(path, remedy)
            return None
        try:
            bundle = base64.b64decode(value, validate=True)
            blocks = _PEM.findall(bundle.decode("ascii"))
            for block in blocks:
                base64.b64decode("".join(block.split()), validate=True)
        except ValueError:  # not ASCII, not base64
            self.fail(path, remedy)
            return None
        if not blocks or b"PRIVATE KEY" in bundle:
            self.fail(path, f"{remedy}; it needs a certificate and no private key")
            return None
        return bundle, None

    def credentials(self, value: object, path: str) -> TokenFile | CertFiles | None:
        forms = ({"tokenFile"}, {"certFile", "keyFile"})
        if not isinstance(value, _Object) or value.keys() not in forms:
            remedy = 'must be exactly one of {"tokenFile"} and {"certFile", "keyFile"}'
            self.fail(path, remedy)
            return None
        item = self.fields(value, path, tuple(value))
        if item is None:
            return None
        files = {key: self.file_path(file, f"{path}.{key}") for key, file in item.items()}
        token, cert, key = map(files.get, ("tokenFile", "certFile", "keyFile"))
        if token is not None:
            return TokenFile(token)
        return None if cert is None or key is None else CertFiles(cert, key)
