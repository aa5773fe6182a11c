"""Owns where the cluster is that is to be registered, by a kubeconfig, and which one it is.

Must not take its login: the account that MCA gets there is its own.
"""

import argparse
import base64
import os
from typing import Final, NamedTuple

from webhook.cli.cluster.steps import StepError
from webhook.cli.run.contexts import Inline, read_context
from webhook.cli.run.kubeconfig import KubeconfigError, load_kubeconfig
from webhook.kube import Kube, KubeError
from webhook.resources.names import KUBE_SYSTEM_PATH

# Of a Cluster: with which one it was registered, whatever a context is called later.
MEMBER_UID: Final = "mca.io/member-uid"
# A Cluster's caBundle is base64 of 256 KiB at most; a machine's own list of CAs is about as large.
_MAX_CA_BYTES: Final = 128 * 1024


class Place(NamedTuple):
    """Where a member is, as its Cluster says it."""

    server: str
    ca_bundle: str
    tls_server_name: str = ""


class PlaceError(Exception):
    """It cannot be told; the text has a line for each thing that is wrong."""


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Where pods reach the member, if not where the kubeconfig says."""
    group = parser.add_argument_group("where pods reach it, if not as the context does")
    group.add_argument("--server", metavar="URL", help="https://host:port")
    group.add_argument("--ca-file", metavar="PATH", help="the CA of its certificate, PEM")
    group.add_argument("--tls-server-name", metavar="NAME", help="the name in its certificate")


def read_place(given: argparse.Namespace) -> Place:
    """By the context of the kubeconfig, and the options."""
    try:
        kubeconfig = load_kubeconfig(os.environ, given.kubeconfig)
    except KubeconfigError as error:
        raise PlaceError(str(error)) from None
    if given.context not in kubeconfig.contexts:
        raise PlaceError(f"--context {given.context}: there is no such context")
    found = read_context(kubeconfig, given.context, os.environ)
    if isinstance(found, tuple):
        raise PlaceError("\n".join(found))
    if given.ca_file:
        pem = _read(given.ca_file, "--ca-file")
    elif isinstance(found.ca, Inline):
        pem = found.ca.content.reveal()
    else:
        pem = _read(found.ca.path, f"context {given.context!r}: certificate-authority")
    if len(pem) > _MAX_CA_BYTES:
        raise PlaceError(
            f"context {given.context!r} names no CA of its own, and all that this machine trusts "
            "is too much: give its CA with --ca-file"
        )
    name = given.tls_server_name or found.tls_server_name or ""
    return Place(given.server or found.server, base64.b64encode(pem).decode(), name)


def find_uid(kube: Kube) -> str:
    """By which one cluster is told from another."""
    try:
        return str(kube.request("GET", KUBE_SYSTEM_PATH).document["metadata"]["uid"])
    except KubeError as error:
        raise StepError(f"{kube.context or kube.server}: {error}") from None


def _read(path: str, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise PlaceError(f"{what}: {path}: {error.strerror}") from None
