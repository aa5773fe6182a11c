"""Owns the members of a snapshot: where each is, how it proves itself, what we prove to it.

It must not touch a file: paths are only checked for their form.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.fields import DNS_SUBDOMAIN, Fields
from sidecar.policy.verdict import HOME, shown

if TYPE_CHECKING:
    from sidecar.policy.fields import Check

_MAX_CLUSTERS: Final = 256
_MAX_BUNDLE_BYTES: Final = 256 * 1024
_MAX_LABELS: Final = 64
_MAX_CONNECTIONS: Final = 65_535
_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_SERVER: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]++)-----END CERTIFICATE-----"
)
_HEALTH_PATH: Final = re.compile(r"/[A-Za-z0-9._~/?=&-]{0,255}")
_LABEL_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


class TokenFile(NamedTuple):
    """A bearer token, read from a file."""

    path: str


class CertFiles(NamedTuple):
    """A client certificate and its key, read from files."""

    cert_path: str
    key_path: str


class Brokered(NamedTuple):
    """A credential that the broker hands out, for as long as the pod may have it."""

    broker: bool = True


class Withheld(NamedTuple):
    """No credential, and why. No snapshot says so: who pins one to its pod puts it in."""

    reason: str


Credentials = TokenFile | CertFiles | Brokered | Withheld


class HealthCheck(NamedTuple):
    """How a member is asked for its health, beside what its answers to calls tell."""

    path: str = "/readyz"
    interval_s: float = 10
    timeout_s: float = 2
    failure_threshold: int = 3


class ClusterLimits(NamedTuple):
    """What one pod may hold open to a member; 0 is "as much as it takes"."""

    max_connections: int = 0
    max_streams: int = 0


class Cluster(NamedTuple):
    """A member.

    Where it is, how it proves itself (exactly one of ca_bundle and ca_file), what we prove to it.
    Without a health check only the signals of its traffic count.
    """

    name: str
    server: str
    host: str
    port: int
    ca_bundle: bytes | None
    ca_file: str | None
    tls_server_name: str | None
    credentials: Credentials
    labels: tuple[tuple[str, str], ...] = ()
    health: HealthCheck | None = None
    limits: ClusterLimits = ClusterLimits()


def read_clusters(check: Check, value: object) -> tuple[Cluster, ...] | None:
    """The members of a snapshot; home is one of them."""

    def read(item: object, path: str) -> Cluster | None:
        return _read_cluster(check, item, path)

    clusters = check.items(value, "clusters", read, least=1, most=_MAX_CLUSTERS)
    if clusters is None:
        return None
    names = [cluster.name for cluster in clusters]
    check.unique("clusters", ".name", names)
    if HOME not in names:
        check.fail("clusters", f"must hold the cluster {HOME!r}, the one that the pod runs in")
    return clusters


def _read_cluster(check: Check, value: object, path: str) -> Cluster | None:
    required = ("name", "server", "caBundle", "credentials")
    optional = ("tlsServerName", "labels", "healthCheck", "limits")
    item = check.fields(value, path, required, optional)
    if item is None:
        return None
    name = check.label(item["name"], f"{path}.name")
    server = read_server(check, item["server"], f"{path}.server")
    bundle = read_ca_bundle(check, item["caBundle"], f"{path}.caBundle")
    server_name: str | None = None
    if item.get("tlsServerName") is not None:
        server_name = check.text(
            item["tlsServerName"], f"{path}.tlsServerName", _DNS_NAME, "null or a DNS name"
        )
    credentials = _read_credentials(check, item["credentials"], f"{path}.credentials")
    labels = _read_labels(check, item.get("labels"), f"{path}.labels")
    health = _read_health_check(check, item.get("healthCheck"), f"{path}.healthCheck")
    limits = _read_limits(check, item.get("limits"), f"{path}.limits")
    if name is None or server is None or bundle is None or credentials is None:
        return None
    if name == HOME and isinstance(credentials, Brokered):
        check.fail(f"{path}.credentials", "home is called with the pod's own token: name its file")
    url, host, port = server
    return Cluster(name, url, host, port, *bundle, server_name, credentials, labels, health, limits)


def read_server(check: Check, value: object, path: str) -> tuple[str, str, int] | None:
    """An https URL without a path: as it is written, its host and its port."""
    match = _SERVER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        check.fail(path, "must be https://host or https://host:port, without user, path or query")
        return None
    host = match["host"]
    if host.startswith("["):
        host = host[1:-1]
    elif _DNS_NAME.fullmatch(host) is None:
        check.fail(path, "must name a DNS host or an IP address")
        return None
    port = int(match["port"] or 443)
    if not 1 <= port <= 65535:
        check.fail(path, "must have a port from 1 to 65535")
        return None
    return match[0], host, port


def read_ca_bundle(
    check: Check, value: object, path: str
) -> tuple[bytes | None, str | None] | None:
    """CA certificates, and where they are read if they are in a file; one of both."""
    if isinstance(value, Fields):
        item = check.fields(value, path, ("caFile",))
        ca_file = None if item is None else check.file_path(item["caFile"], f"{path}.caFile")
        return None if ca_file is None else (None, ca_file)
    remedy = 'must be the CA certificates as base64 of PEM, or {"caFile": path}'
    if not isinstance(value, str) or len(value) > _MAX_BUNDLE_BYTES:
        check.fail(path, remedy)
        return None
    try:
        bundle = base64.b64decode(value, validate=True)
        blocks = _PEM.findall(bundle.decode("ascii"))
        for block in blocks:
            base64.b64decode("".join(block.split()), validate=True)
    except ValueError:  # not ASCII, not base64
        check.fail(path, remedy)
        return None
    if not blocks or b"PRIVATE KEY" in bundle:
        check.fail(path, f"{remedy}; it needs a certificate and no private key")
        return None
    return bundle, None


def _read_credentials(
    check: Check, value: object, path: str
) -> TokenFile | CertFiles | Brokered | None:
    forms = ({"tokenFile"}, {"certFile", "keyFile"}, {"broker"})
    if not isinstance(value, Fields) or value.keys() not in forms:
        remedy = (
            'must be exactly one of {"tokenFile"}, {"certFile", "keyFile"} and {"broker": true}'
        )
        check.fail(path, remedy)
        return None
    item = check.fields(value, path, tuple(value))
    if item is None:
        return None
    if "broker" in item:
        if item["broker"] is True:
            return Brokered()
        check.fail(f"{path}.broker", "must be true")
        return None
    files = {key: check.file_path(file, f"{path}.{key}") for key, file in item.items()}
    token, cert, key = map(files.get, ("tokenFile", "certFile", "keyFile"))
    if token is not None:
        return TokenFile(token)
    return None if cert is None or key is None else CertFiles(cert, key)


def _read_labels(check: Check, value: object, path: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Fields) or len(value) > _MAX_LABELS:
        check.fail(path, f"must be an object of at most {_MAX_LABELS} labels")
        return ()
    item = check.fields(value, path, tuple(value))
    if item is None:
        return ()
    for key, text in item.items():
        prefix, slash, name = key.rpartition("/")
        if _LABEL_NAME.fullmatch(name) is None or (
            slash and DNS_SUBDOMAIN.fullmatch(prefix) is None
        ):
            check.fail(path, "must have label keys: a name of at most 63 letters, digits and -_.")
        if text != "":
            check.text(text, f"{path}.{shown(key)}", _LABEL_NAME, "a label's value")
    return tuple(sorted((key, str(text)) for key, text in item.items()))


def _read_health_check(check: Check, value: object, path: str) -> HealthCheck | None:
    if value is None:
        return None
    keys = ("path", "intervalSeconds", "timeoutSeconds", "failureThreshold")
    item = check.fields(value, path, (), keys)
    if item is None:
        return None
    usual = HealthCheck()
    url_path = check.text(
        item.get("path", usual.path), f"{path}.path", _HEALTH_PATH, "a path such as /readyz"
    )
    interval = check.number(
        item.get("intervalSeconds", usual.interval_s), f"{path}.intervalSeconds", 0.1, 3600
    )
    timeout = check.number(
        item.get("timeoutSeconds", usual.timeout_s), f"{path}.timeoutSeconds", 0.1, 60
    )
    threshold = check.whole(
        item.get("failureThreshold", usual.failure_threshold), f"{path}.failureThreshold", 1, 100
    )
    if url_path is None or interval is None or timeout is None or threshold is None:
        return None
    return HealthCheck(url_path, interval, timeout, threshold)


def _read_limits(check: Check, value: object, path: str) -> ClusterLimits:
    if value is None:
        return ClusterLimits()
    item = check.fields(value, path, (), ("maxConnections", "maxStreams"))
    if item is None:
        return ClusterLimits()
    found = [
        check.whole(item.get(key, 0), f"{path}.{key}", 0, _MAX_CONNECTIONS) or 0
        for key in ("maxConnections", "maxStreams")
    ]
    return ClusterLimits(*found)
