"""Owns `mca install`: an installation into a cluster, or printed; the same again is an upgrade.

Must not know what an installation is made of: webhook/install builds it.
"""

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra

if TYPE_CHECKING:
    from webhook.install.settings import InstallSettings
    from webhook.kube import Kube

EXIT_FAILED = 1
_COMMAND = "mca install"
_USAGE = "mca install --sidecar-image IMAGE@DIGEST --control-image IMAGE@DIGEST [OPTION ...]"
_DESCRIPTION = """\
Installs MCA into a cluster: the admission webhook and the controller in a namespace of their own,
with certificates that they make themselves, the guards of enforced namespaces, and the kinds
Cluster, Route and Tenant. It needs a cluster's admin, Kubernetes 1.30 or newer, and the two images
in a registry that the nodes pull from.

Everything is tried as a dry run first. Then it is applied (server-side apply, field manager mca),
in order, and waited for. Doing it again changes nothing; with other options or another release it
is an upgrade, and what is no longer part of it is deleted once the webhook serves. It never takes
over a field that somebody else has set, unless told to, nor what Helm has installed, nor a
namespace that others have made."""
_EPILOG = """\
exit codes: 0 installed and serving (printed, tried), 1 refused, or not ready in time, 64 a bad
argument or kubeconfig.

examples:
  mca install --sidecar-image registry.example.com/mca/sidecar@sha256:... \\
              --control-image registry.example.com/mca/control@sha256:...
  mca install ... -o yaml >install.yaml
  kubectl label namespace team-a mca.io/injection=enabled
  mca check"""


def main(arguments: list[str]) -> int:
    """Install; the exit code."""
    given = _make_parser().parse_args(arguments)
    if lacks_extra("install", "kubernetes", "yaml"):
        return EXIT_USAGE
    from webhook.cli.install.options import read_settings
    from webhook.install.settings import list_problems
    from webhook.install.text import render_yaml
    from webhook.kube import KubeError, open_kubeconfig

    settings = read_settings(given)
    if problems := list_problems(settings):
        complain("\n".join(map(name_option, problems)), _COMMAND)
        return EXIT_USAGE
    if given.output == "yaml":
        sys.stdout.write(render_yaml(settings))
        return 0
    try:
        kube = open_kubeconfig(given.context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    return _install(kube, settings, given)


def _install(kube: "Kube", settings: "InstallSettings", given: argparse.Namespace) -> int:
    from webhook.cli.install.course import Course, InstallError
    from webhook.cli.install.place import find_api_ports
    from webhook.kube import KubeError

    if not given.api_server_port:
        ports = {*settings.api_server_ports, *find_api_ports(kube)}
        settings = replace(settings, api_server_ports=tuple(sorted(ports)))
    course = Course(kube, settings, force=given.force_conflicts)
    try:
        course.examine()
        if given.dry_run:
            return 0
        course.apply()
        if given.wait:
            course.wait(given.wait)
            course.settle()
            course.prune()
    except InstallError as error:
        complain(str(error), _COMMAND)
        return EXIT_FAILED
    except KubeError as error:
        complain(f"{error}\nrun the same command again: what is there stays", _COMMAND)
        return EXIT_FAILED
    course.tell_next(waited=bool(given.wait))
    return 0


def _make_parser() -> Parser:
    from webhook.cli.install.options import add_cluster_options, add_settings, parse_seconds

    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    add_settings(parser)
    add_cluster_options(parser)
    group = parser.add_argument_group("how")
    group.add_argument(
        "-o", "--output", choices=["yaml"], help="print it instead; no cluster is asked"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="try it only, and tell what would change"
    )
    group.add_argument(
        "--wait", metavar="SECONDS", type=parse_seconds, default=180,
        help="for the webhook to serve (%(default)s); 0: do not wait",
    )  # fmt: skip
    group.add_argument(
        "--force-conflicts", action="store_true",
        help="take over fields that others have set",
    )  # fmt: skip
    return parser


def name_option(problem: str) -> str:
    """A problem of the settings begins with its field; whoever typed knows the option."""
    field, _, rest = problem.partition(": ")
    return f"--{_OPTIONS.get(field, field.replace('_', '-'))}: {rest}"


_OPTIONS = {
    "namespace": "system-namespace",
    "admin_users": "admin-user",
    "admin_groups": "admin-group",
    "controllers": "controller",
    "audiences": "audience",
    "member_audiences": "member-audience",
    "profile_namespaces": "profile-namespace",
    "earlier_sidecar_images": "earlier-sidecar-image",
    "api_server_ports": "api-server-port",
    "pull_secrets": "pull-secret",
}
