"""Owns what one context of a kubeconfig means: where its cluster is, and how to log in there.

Must not run anything. What the sidecar could not do as safely is refused, and the text names the
field: a context is taken whole or not at all.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.policy.fields import DNS_LABEL
from sidecar.secret import Secret
from webhook.cli.run.exec_plugin import Plugin, PluginError, parse_plugin
from webhook.cli.run.kubeconfig import Entry, Kubeconfig

# Where Go's crypto/x509 looks on Linux: what kubectl trusts when no CA is named.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_SERVER = re.compile(r"https://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
# What RFC 6750 lets a bearer token hold.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"
_CLUSTER_REFUSED = {
    "insecure-skip-tls-verify": "the server is always verified: name its certificate-authority",
    "proxy-url": "servers are called directly, never through a proxy",
}
_USER_REFUSED = {
    "as": "impersonation is not supported: use a user that may do what is needed",
    "as-uid": "impersonation is not supported",
    "as-groups": "impersonation is not supported",
    "as-user-extra": "impersonation is not supported",
    "username": "no API server takes passwords any more: use a token or a client certificate",
    "password": "no API server takes passwords any more: use a token or a client certificate",
    "auth-provider": "kubectl itself dropped these: use an exec plugin",
}


@dataclass(frozen=True, slots=True)
class Inline:
    """Content that stands in the kubeconfig itself."""

    content: Secret


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file that the kubeconfig names; it may be renewed there by others."""

    path: str


Source = Inline | OnDisk


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A bearer token."""

    token: Source


@dataclass(frozen=True, slots=True)
class CertLogin:
    """A client certificate and its key."""

    cert: Source
    key: Source


Login = TokenLogin | CertLogin | Plugin


@dataclass(frozen=True, slots=True)
class Context:
    """A context that the sidecar can serve."""

    name: str
    namespace: str
    server: str
    tls_server_name: str | None
    ca: Source
    login: Login


def read_context(
    kubeconfig: Kubeconfig, name: str, env: Mapping[str, str]
) -> Context | tuple[str, ...]:
    """The context, or everything that speaks against it."""
    entry = kubeconfig.contexts[name]
    check = _Check(f"context {name!r}", entry)
    namespace = check.text("namespace") or "default"
    if DNS_LABEL.fullmatch(namespace) is None:
        check.fail("namespace", f"{namespace!r} is no name of a namespace")
    parts = []
    for kind, known in (("cluster", kubeconfig.clusters), ("user", kubeconfig.users)):
        named = check.text(kind)
        if not named or named not in known:
            check.fail(kind, f"{named!r} is not in the kubeconfig" if named else "is not set")
        else:
            part = _Check(f"{kind} {named!r}", known[named])
            part.errors = check.errors
            parts.append(part)
    if len(parts) < 2:
        return tuple(check.errors)
    cluster, user = parts
    server = _read_server(cluster)
    ca = _read_ca(cluster, env)
    tls_server_name = cluster.text("tls-server-name")
    login = _read_login(user, cluster, ca)
    if check.errors or ca is None or login is None:
        return tuple(check.errors)
    return Context(name, namespace, server, tls_server_name, ca, login)


class _Check:
    """Reads the fields of one entry and collects what is wrong with them."""

    def __init__(self, what: str, entry: Entry) -> None:
        self.errors: list[str] = []
        self.raw = entry.raw
        self.folder = entry.folder
        self._what = what

    def fail(self, field: str, message: str) -> None:
        self.errors.append(f"{self._what}: {field}: {message}")

    def text(self, field: str) -> str | None:
        value = self.raw.get(field)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.fail(field, "must be a string")
            return None
        return value

    def refuse(self, fields: Mapping[str, str]) -> None:
        for field, why in fields.items():
            if self.raw.get(field):
                self.fail(field, why)

    def source(self, file_field: str, data_field: str) -> Source | None:
        """What one of two fields gives: a path, or base64."""
        path, data = self.text(file_field), self.text(data_field)
        if path is not None and data is not None:
            self.fail(data_field, f"and {file_field} are both set: keep one")
            return None
        if data is not None:
            try:
                return Inline(Secret(base64.b64decode("".join(data.split()), validate=True)))
            except (binascii.Error, ValueError):
                self.fail(data_field, "is not base64")
                return None
        return None if path is None else self.file(file_field, path)

    def file(self, field: str, path: str) -> OnDisk | None:
        absolute = os.path.normpath(os.path.join(self.folder, path))
        try:
            with open(absolute, "rb"):
                return OnDisk(absolute)
        except OSError as error:
            self.fail(field, f"{absolute}: {error.strerror}")
            return None


def _read_server(cluster: _Check) -> str:
    cluster.refuse(_CLUSTER_REFUSED)
    server = (cluster.text("server") or "").removesuffix("/")
    if not server:
        cluster.fail("server", "is not set")
    elif server.lower().startswith("http:"):
        cluster.fail("server", "http would send the credential in the clear: use https")
    elif _SERVER.fullmatch(server) is None:
        cluster.fail("server", f"{server!r} is not of the form https://host:port, without a path")
    return server


def _read_ca(cluster: _Check, env: Mapping[str, str]) -> Source | None:
    before = len(cluster.errors)
    ca = cluster.source("certificate-authority", "certificate-authority-data")
    if isinstance(ca, Inline) and b"-----BEGIN CERTIFICATE-----" not in ca.content.reveal():
        cluster.fail("certificate-authority-data", "holds no certificate in PEM form")
    if ca is not None or len(cluster.errors) > before:
        return ca
    for path in (env.get("SSL_CERT_FILE", ""), *_SYSTEM_BUNDLES):
        if path and os.access(path, os.R_OK):
            return OnDisk(os.path.abspath(path))
    cluster.fail(
        "certificate-authority", "is not set, and this machine has no certificates that it trusts"
    )
    return None


def _read_login(user: _Check, cluster: _Check, ca: Source | None) -> Login | None:
    """As client-go chooses: an exec plugin is run only if nothing else is there."""
    user.refuse(_USER_REFUSED)
    before = len(user.errors)
    token = _read_token(user)
    cert = user.source("client-certificate", "client-certificate-data")
    key = user.source("client-key", "client-key-data")
    if len(user.errors) > before:
        return None
    if cert is not None and key is not None:
        if token is not None:
            user.fail("client-certificate", "and a token are both set: keep one")
        return CertLogin(cert, key)
    if cert is not None or key is not None:
        missing = "client-key" if key is None else "client-certificate"
        user.fail(missing, "is not set, but its counterpart is")
        return None
    if token is not None:
        return TokenLogin(token)
    if user.raw.get("exec") is not None:
        return _read_plugin(user, cluster, ca)
    if not any(user.raw.get(field) for field in _USER_REFUSED):
        user.fail("token", "is not set, nor is tokenFile, client-certificate or exec")
    return None


def _read_token(user: _Check) -> Source | None:
    token, path = user.text("token"), user.text("tokenFile")
    if path is not None:
        # The file wins as long as it can be read, says the API's documentation.
        absolute = os.path.normpath(os.path.join(user.folder, path))
        if token is None or os.access(absolute, os.R_OK):
            return user.file("tokenFile", path)
    if token is None:
        return None
    if _TOKEN.fullmatch(token) is None:
        user.fail("token", "holds characters that no bearer token has")
        return None
    return Inline(Secret(token.encode()))


def _read_plugin(user: _Check, cluster: _Check, ca: Source | None) -> Plugin | None:
    try:
        return parse_plugin(user.raw["exec"], user.folder, lambda: _describe_cluster(cluster, ca))
    except PluginError as error:
        user.fail("exec", str(error))
        return None


def _describe_cluster(cluster: _Check, ca: Source | None) -> dict[str, Any]:
    """What a plugin is told with provideClusterInfo; the shape is client-go's."""
    told: dict[str, Any] = {"server": cluster.raw.get("server"), "config": None}
    for field in ("tls-server-name", "disable-compression"):
        if cluster.raw.get(field):
            told[field] = cluster.raw[field]
    named = cluster.raw.get("certificate-authority") or cluster.raw.get(
        "certificate-authority-data"
    )
    if named and ca is not None:
        if isinstance(ca, Inline):
            content = ca.content.reveal()
        else:
            with open(ca.path, "rb") as file:
                content = file.read()
        told["certificate-authority-data"] = base64.b64encode(content).decode()
    extensions = cluster.raw.get("extensions")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, dict) and extension.get("name") == _EXEC_EXTENSION:
            told["config"] = extension.get("extension")
    return told
