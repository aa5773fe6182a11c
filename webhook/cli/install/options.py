"""Owns the options of `mca install`: which there are, and the settings that they come to.

Must not talk to a cluster. What an installation can be told is webhook/install/settings.py's.
"""

import argparse

from sidecar.policy.fields import DNS_LABEL
from webhook.guards.settings import DEFAULT_ADMIN_GROUPS
from webhook.install.settings import NAMESPACE, InstallSettings

_MAX_WAIT_S = 3600
_API_SERVER_PORTS = (443, 6443)


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and where MCA is in it."""
    group = parser.add_argument_group("which cluster")
    group.add_argument("--context", metavar="NAME", help="else the kubeconfig's current one")
    group.add_argument("--kubeconfig", metavar="PATH", help="else KUBECONFIG, ~/.kube/config")
    group.add_argument(
        "--system-namespace", metavar="NAME", type=parse_namespace, default=NAMESPACE,
        help="MCA's own (%(default)s)",
    )  # fmt: skip


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What is installed; `read_settings` takes them."""
    group = parser.add_argument_group("what is installed")
    group.add_argument(
        "--sidecar-image", metavar="IMAGE@DIGEST", required=True, help="what pods get"
    )
    group.add_argument(
        "--control-image",
        metavar="IMAGE@DIGEST",
        required=True,
        help="what webhook and controller run in",
    )
    group.add_argument(
        "--existing-namespace", action="store_true",
        help="use a namespace that others have made: it is neither labelled nor ever deleted",
    )  # fmt: skip
    group.add_argument(
        "--admin-user", metavar="USER", action="append", default=[],
        help="who may label namespaces; may be given again",
    )  # fmt: skip
    groups = ", ".join(DEFAULT_ADMIN_GROUPS)
    group.add_argument(
        "--admin-group", metavar="GROUP", action="append", default=[],
        help=f"the same for a group; else {groups}",
    )  # fmt: skip
    group.add_argument(
        "--controller", metavar="USER", action="append", default=[],
        help="trusted beside MCA's own controller: on a member, its home's account; repeatable",
    )  # fmt: skip
    group.add_argument(
        "--audience", metavar="AUDIENCE", action="append", default=[],
        help="what tokens in containers of enforced namespaces may be for; may be given again",
    )  # fmt: skip
    group.add_argument(
        "--member-audience", metavar="AUDIENCE", action="append", default=[],
        help="what Clusters may name beside their own audience; may be given again",
    )  # fmt: skip
    group.add_argument(
        "--profile-namespace", metavar="NAME", action="append", default=[],
        help="where ClusterProfiles are read as Clusters; may be given again",
    )  # fmt: skip
    group.add_argument(
        "--earlier-sidecar-image", metavar="IMAGE@DIGEST", action="append", default=[],
        help="that pods still have, beside those found; may be given again",
    )  # fmt: skip
    group.add_argument(
        "--replicas", metavar="N", type=int, default=2, help="of the webhook (%(default)s)"
    )
    group.add_argument(
        "--controller-replicas", metavar="N", type=int, default=2,
        help="of the controller (%(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--pull-secret", metavar="NAME", action="append", default=[],
        help="a Secret to pull that image with; may be given again",
    )  # fmt: skip
    group.add_argument(
        "--api-server-port", metavar="PORT", type=int, action="append", default=[],
        help="of the API server's endpoints, for the NetworkPolicy; else 443, 6443, and its own",
    )  # fmt: skip
    for option, helped in (
        ("--cert-manager", "have cert-manager make the webhook's certificates"),
        ("--service-monitor", "a ServiceMonitor for the Prometheus operator"),
        ("--dashboard", "a dashboard for Grafana's sidecar, as a ConfigMap"),
    ):
        group.add_argument(option, action="store_true", help=helped)


def read_settings(given: argparse.Namespace) -> InstallSettings:
    """Unchecked: `list_problems` tells everything that is wrong with them."""
    return InstallSettings(
        sidecar_image=given.sidecar_image,
        control_image=given.control_image,
        namespace=given.system_namespace,
        make_namespace=not given.existing_namespace,
        admin_users=tuple(given.admin_user),
        admin_groups=tuple(given.admin_group or DEFAULT_ADMIN_GROUPS),
        controllers=tuple(given.controller),
        audiences=tuple(given.audience),
        member_audiences=tuple(given.member_audience),
        profile_namespaces=tuple(given.profile_namespace),
        earlier_sidecar_images=tuple(given.earlier_sidecar_image),
        replicas=given.replicas,
        controller_replicas=given.controller_replicas,
        pull_secrets=tuple(given.pull_secret),
        api_server_ports=tuple(given.api_server_port) or _API_SERVER_PORTS,
        cert_manager=given.cert_manager,
        service_monitor=given.service_monitor,
        dashboard=given.dashboard,
    )


def parse_namespace(text: str) -> str:
    """A name that can stand in a path as it is."""
    if DNS_LABEL.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a namespace: a-z, 0-9 and -")
    return text


def parse_seconds(text: str) -> int:
    """How long to wait; argparse names the option."""
    if not (text.isascii() and text.isdecimal() and int(text) <= _MAX_WAIT_S):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of seconds from 0 to {_MAX_WAIT_S}"
        )
    return int(text)
