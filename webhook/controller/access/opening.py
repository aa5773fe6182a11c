"""Owns how a member is called: at the address of its Cluster, with one credential.

Must not know where the credential comes from.
"""

from typing import NamedTuple

from sidecar.secret import Secret
from webhook.kube import Kube, KubeError, open_server
from webhook.resources.clusters import Cluster


class Location(NamedTuple):
    """Where a member is, and how it proves itself."""

    server: str
    ca_pem: str
    tls_server_name: str = ""


class Bearer(NamedTuple):
    """A token."""

    token: Secret


class ClientCertificate(NamedTuple):
    """A certificate and its key, both PEM."""

    certificate: str
    key: Secret


Login = Bearer | ClientCertificate


def locate(cluster: Cluster) -> Location:
    """That of a Cluster."""
    pem = cluster.pem.decode("ascii", errors="replace")
    return Location(cluster.server, pem, cluster.tls_server_name)


def open_member(location: Location, login: Login) -> Kube:
    """Close it in the end. KubeError: what is given cannot be used."""
    try:
        token = login.token.reveal().decode("ascii") if isinstance(login, Bearer) else ""
        pair = None
        if isinstance(login, ClientCertificate):
            pair = (login.certificate, login.key.reveal().decode("ascii"))
    except UnicodeDecodeError:
        told = f"{location.server}: the credential is no text of letters, digits and signs"
        raise KubeError(0, "", told) from None
    return open_server(
        location.server,
        location.ca_pem,
        tls_server_name=location.tls_server_name,
        token=token,
        certificate=pair,
    )
