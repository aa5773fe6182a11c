"""Owns what a Secret of credentials for a member may hold, and how it is read.

Must not repeat a value in a problem, nor take what would be read or run elsewhere: everything is
inline.
"""

import base64
import binascii
import re
from typing import Final

from sidecar.secret import Secret
from webhook.controller.access.inline_kubeconfig import Inline, read_kubeconfig
from webhook.controller.access.opening import Bearer, ClientCertificate, Login
from webhook.resources.clusters import PROFILE, Cluster
from webhook.resources.meta import RawDocument, mapping
from webhook.resources.names import CREDENTIALS_TYPE

_TOKEN, _CERTIFICATE, _KEY, _KUBECONFIG = "token", "tls.crt", "tls.key", "kubeconfig"
_FORMS: Final = ({_TOKEN}, {_CERTIFICATE, _KEY}, {_KUBECONFIG})
# RFC 6750. A line end inside would let a Secret write header lines.
_BEARER: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_MAX_BYTES: Final = 65536
_BLOCK: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]++)-----END CERTIFICATE-----"
)


def read_for(secret: RawDocument, cluster: Cluster) -> Login | tuple[str, ...]:
    """How to log in at the cluster, or all that is wrong: each names its key and the remedy.

    Where the cluster is may come from a ClusterProfile. Then the Secret itself must say so, with
    the server's CA: whoever writes the profile could lead the credential to a server of his own.
    """
    if PROFILE not in cluster.meta.annotations:
        return read_credentials(secret, cluster.server)
    if cluster.tls_server_name:
        return ("spec.tlsServerName: comes from a ClusterProfile: no Secret goes with it",)
    return read_credentials(secret, cluster.server, cluster.pem)


def read_credentials(
    secret: RawDocument, server: str, ca_pem: bytes | None = None
) -> Login | tuple[str, ...]:
    """How to log in at `server`; with a CA, only a kubeconfig that names both."""
    if secret.get("type") != CREDENTIALS_TYPE:
        return (f"type: must be {CREDENTIALS_TYPE}: make the Secret anew with it",)
    data = mapping(secret.get("data"))
    if set(data) not in _FORMS:
        return ("data: must be exactly one of token, tls.crt with tls.key, kubeconfig",)
    problems: list[str] = []
    values = {key: _decode(key, value, problems) for key, value in data.items()}
    if problems:
        return tuple(problems)
    if _KUBECONFIG in values:
        return _read_kubeconfig(values[_KUBECONFIG], server, ca_pem)
    if ca_pem is not None:
        return ("data: must be a kubeconfig, which names the server and its CA",)
    if _TOKEN in values:
        return _read_token(_TOKEN, values[_TOKEN])
    pair = (values[_CERTIFICATE], values[_KEY])
    return _read_pair((_CERTIFICATE, _KEY), *pair)


def same_server(one: str, other: str) -> bool:
    """Whether two addresses are one server's: https://Host and https://host:443 are."""
    return _plain_server(one) == _plain_server(other)


def _plain_server(server: str) -> str:
    return server.strip().lower().removesuffix("/").removesuffix(":443")


def _read_kubeconfig(content: bytes, server: str, ca_pem: bytes | None) -> Login | tuple[str, ...]:
    found = read_kubeconfig(content)
    if not isinstance(found, Inline):
        return tuple(f"kubeconfig: {problem}" for problem in found)
    if not same_server(found.server, server):
        return (f"kubeconfig: clusters[0].cluster.server: is not the Cluster's, {server}",)
    if ca_pem is not None and _list_blocks(found.ca) != _list_blocks(ca_pem.decode("ascii")):
        where = "clusters[0].cluster.certificate-authority-data"
        return (f"kubeconfig: {where}: is not the Cluster's caBundle, from a ClusterProfile",)
    if found.token is not None and (found.certificate or found.key is not None):
        return ("kubeconfig: users[0].user: has a token and a client certificate: keep one",)
    if found.token is not None:
        return _read_token("kubeconfig: users[0].user.token", found.token.reveal())
    names = tuple(
        f"kubeconfig: users[0].user.client-{part}-data" for part in ("certificate", "key")
    )
    key = b"" if found.key is None else found.key.reveal()
    return _read_pair(names, found.certificate.encode(), key)


def _list_blocks(pem: str) -> set[str]:
    """The certificates of a bundle, however it is wrapped."""
    return {"".join(block.split()) for block in _BLOCK.findall(pem)}


def _read_token(where: str, content: bytes) -> Login | tuple[str, ...]:
    token = content.strip(b"\r\n")
    if _BEARER.fullmatch(token) is None:
        return (f"{where}: is no bearer token",)
    return Bearer(Secret(token))


def _read_pair(names: tuple[str, ...], certificate: bytes, key: bytes) -> Login | tuple[str, ...]:
    """Their form; whether they fit, and can be used, is seen where they are loaded."""
    problems = []
    for name, content, kind in ((names[0], certificate, "CERTIFICATE"), (names[1], key, "KEY")):
        if not content.isascii() or not re.search(rb"-----BEGIN [A-Z ]*" + kind.encode(), content):
            problems.append(f"{name}: must be a {kind.lower()} in PEM")
    if b"PRIVATE KEY" in certificate:
        problems.append(f"{names[0]}: holds a private key: that belongs into {names[1]}")
    if b"ENCRYPTED" in key:
        problems.append(f"{names[1]}: is encrypted: nobody could type its password")
    if problems:
        return tuple(problems)
    return ClientCertificate(certificate.decode("ascii"), Secret(key))


def _decode(key: str, value: object, problems: list[str]) -> bytes:
    try:
        content = base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        problems.append(f"data.{key}: is not base64")
        return b""
    if not content or len(content) > _MAX_BYTES:
        problems.append(f"data.{key}: must hold 1 to {_MAX_BYTES} bytes")
    return content
