"""Owns `mca cluster allow`: which service accounts of a namespace on a member are a tenant's.

Without it the broker mints no token there: an account of the same name may be somebody else's. Must
not touch a namespace of the cluster itself.
"""

import argparse
from http import HTTPStatus
from typing import Final

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, tell
from webhook.cli.cluster import EXIT_FAILED
from webhook.cli.cluster.allowing import Allowance, Allowing
from webhook.cli.cluster.options import add_home_options, add_name, parse_account, parse_role
from webhook.cli.cluster.steps import StepError
from webhook.cli.install.options import parse_namespace
from webhook.kube import KubeError, open_kubeconfig

_COMMAND: Final = "mca cluster allow"
_USAGE: Final = "mca cluster allow NAME --context MEMBER --tenant TENANT -n NAMESPACE [OPTION ...]"
_DESCRIPTION: Final = """\
Says on a member whose service accounts a tenant's pods may be: those of the same namespace and name
as at home. It makes the namespace and the accounts, if they are not there, marks them as the
tenant's, and lets MCA ask for tokens of just these. --role gives them a cluster role in the
namespace.

Where the member has MCA's guards and the tenant a boundary, the namespace gets the labels of an
enforced one, as it has at home.

An account that is there and is nobody's yet is taken only with --adopt: it may have rights."""
_EPILOG: Final = """\
exit codes: 0 done, 1 refused or not ended, 64 a bad argument or kubeconfig.

examples:
  mca cluster allow eu-1 --context eu-admin --tenant acme -n team-a --role edit
  mca cluster allow eu-1 --context eu-admin --tenant acme -n team-a --service-account runner"""
_USUAL: Final = "default"


def main(arguments: list[str]) -> int:
    """Allow them; the exit code."""
    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    _add_options(parser)
    given = parser.parse_args(arguments)
    try:
        home = open_kubeconfig(given.home_context, given.kubeconfig)
        member = open_kubeconfig(given.context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    accounts = tuple(dict.fromkeys(given.service_account)) or (_USUAL,)
    allowance = Allowance(
        given.name, given.tenant, given.namespace, accounts, given.role or "", adopt=given.adopt
    )
    allowing = Allowing(home, member, allowance, given.system_namespace)
    try:
        allowing.examine()
        allowing.apply()
    except (StepError, KubeError) as error:
        told = "run this as an admin of both clusters" if _is_about_rights(error) else ""
        complain("\n".join(filter(None, (str(error), told, allowing.describe_rest()))), _COMMAND)
        return EXIT_FAILED
    tell(allowing.describe_end())
    return 0


def _is_about_rights(error: Exception) -> bool:
    return isinstance(error, KubeError) and error.status == HTTPStatus.FORBIDDEN


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    group = add_home_options(parser, member=True)
    group.add_argument(
        "--context", metavar="MEMBER", required=True, help="the member, as its admin"
    )
    who = parser.add_argument_group("who may")
    who.add_argument("--tenant", metavar="NAME", required=True, help="whose accounts they are")
    who.add_argument(
        "-n", "--namespace", metavar="NAME", type=parse_namespace, required=True,
        help="the same on both clusters",
    )  # fmt: skip
    who.add_argument(
        "--service-account", metavar="NAME", type=parse_account, action="append", default=[],
        help=f"may be given again; else {_USUAL}",
    )  # fmt: skip
    who.add_argument(
        "--role", metavar="NAME", type=parse_role,
        help="a ClusterRole that they get there: view, edit, …",
    )  # fmt: skip
    who.add_argument(
        "--adopt", action="store_true", help="take accounts that others have made there"
    )
