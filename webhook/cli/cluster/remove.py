"""Owns `mca cluster remove`: what add and allow have made is taken away again, at home first.

Must not take away a tenant's cluster without asking, nor leave anything on a member unsaid.
"""

import argparse
import sys
from typing import Final

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, tell
from webhook.cli.cluster import EXIT_FAILED
from webhook.cli.cluster.options import add_home_options, add_name
from webhook.cli.cluster.removing import Removing
from webhook.cli.cluster.steps import StepError
from webhook.kube import KubeError, open_kubeconfig

_COMMAND: Final = "mca cluster remove"
_USAGE: Final = "mca cluster remove NAME [--context MEMBER] [OPTION ...]"
_DESCRIPTION: Final = """\
Takes back a registration. At home first: the Cluster, so that no route leads there any more, its
Secret, and leave to read it. Then, with --context, on the member: our account, what it may do, and
the marks on tenants' accounts, which lose their short-lived tokens as those end.

Namespaces, service accounts and what tenants have there stay; guards and webhook too, which
`mca uninstall --context MEMBER` takes away. It asks first where Tenants name the cluster: their
calls to it fail from then on."""
_EPILOG: Final = """\
exit codes: 0 removed, 1 refused or not ended, 64 a bad argument or kubeconfig.

examples:
  mca cluster remove eu-1 --context eu-admin
  mca cluster remove eu-1 --force        # the member is gone, or nobody's admin here"""


def main(arguments: list[str]) -> int:
    """Remove one; the exit code."""
    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    add_name(parser)
    group = add_home_options(parser, member=True)
    group.add_argument("--context", metavar="MEMBER", help="the member, as its admin")
    parser.add_argument(
        "--force",
        action="store_true",
        help="do not ask, whoever names the cluster, registered or not",
    )
    given = parser.parse_args(arguments)
    try:
        home = open_kubeconfig(given.home_context, given.kubeconfig)
        member = open_kubeconfig(given.context, given.kubeconfig) if given.context else None
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    removing = Removing(home, member, given.name, given.system_namespace, force=given.force)
    try:
        removing.examine()
        if not _is_agreed(removing.tenants, given):
            complain("nothing was changed", _COMMAND)
            return EXIT_FAILED
        removing.remove()
    except (StepError, KubeError) as error:
        complain(f"{error}\n{removing.describe_rest()}", _COMMAND)
        return EXIT_FAILED
    tell(removing.describe_end())
    return 0


def _is_agreed(tenants: list[str], given: argparse.Namespace) -> bool:
    if given.force or not tenants:
        return True
    told = f"Tenants name {given.name}: {', '.join(tenants)}. Their calls to it fail from then on."
    if not sys.stdin.isatty():
        complain(f"{told}\ntake it out of their spec.clusters first, or --force", _COMMAND)
        return False
    sys.stderr.write(f"{told}\nRemove it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
