"""Owns the options that the commands on a member share. Must not read a cluster."""

import argparse
import re

from sidecar.policy.fields import DNS_LABEL, DNS_SUBDOMAIN
from webhook.cli.install.options import parse_namespace
from webhook.install.settings import NAMESPACE

_RESERVED = "mca-"
_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,200}")
_LABEL = re.compile(r"[A-Za-z0-9./_-]{1,317}=[A-Za-z0-9._-]{0,63}")


def add_name(parser: argparse.ArgumentParser) -> None:
    """The Cluster that is meant."""
    parser.add_argument("name", metavar="NAME", type=parse_cluster_name, help="of the Cluster")


def add_home_options(
    parser: argparse.ArgumentParser, *, member: bool = False
) -> argparse._ArgumentGroup:
    """Where MCA is. With a member, --context is that one's; else it can be nothing but home's."""
    group = parser.add_argument_group("which clusters")
    group.add_argument(
        *(("--home-context",) if member else ("--context", "--home-context")),
        dest="home_context", metavar="NAME", help="where MCA is; else the current context",
    )  # fmt: skip
    group.add_argument("--kubeconfig", metavar="PATH", help="else KUBECONFIG, ~/.kube/config")
    group.add_argument(
        "--system-namespace", metavar="NAME", type=parse_namespace, default=NAMESPACE,
        help="MCA's own (%(default)s)",
    )  # fmt: skip
    return group


def parse_cluster_name(text: str) -> str:
    """As a Cluster can be called."""
    if DNS_LABEL.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a Cluster: a-z, 0-9 and -")
    if text == "home" or text.startswith(_RESERVED):
        raise argparse.ArgumentTypeError(f"{text!r} is reserved: take another name")
    return text


def parse_account(text: str) -> str:
    """As a service account can be called."""
    if DNS_SUBDOMAIN.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no service account's name")
    return text


def parse_role(text: str) -> str:
    """As a ClusterRole can be called; it must stand in a path as it is."""
    if _ROLE.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a ClusterRole")
    return text


def parse_label(text: str) -> tuple[str, str]:
    """KEY=VALUE."""
    if _LABEL.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no label: write KEY=VALUE")
    key, _, value = text.partition("=")
    return key, value
