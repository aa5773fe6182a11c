"""Owns `mca cluster add`: an account on a member, and the Cluster at home, step by step.

Must not leave anything half done without saying so; doing it again goes on.
"""

import argparse
from typing import Final

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, tell
from webhook.cli.cluster import EXIT_FAILED
from webhook.cli.cluster.adding import Adding, Wish
from webhook.cli.cluster.guards import add_guard_options, list_missing_options
from webhook.cli.cluster.identity import FORMS
from webhook.cli.cluster.member import PlaceError, add_place_options, read_place
from webhook.cli.cluster.options import add_home_options, add_name, parse_label
from webhook.cli.cluster.steps import StepError
from webhook.cli.install.options import parse_seconds
from webhook.kube import KubeError, open_kubeconfig

_COMMAND: Final = "mca cluster add"
_USAGE: Final = "mca cluster add NAME --context MEMBER [OPTION ...]"
_DESCRIPTION: Final = """\
Registers a cluster, so that routes can lead to it. On the member it makes a namespace, mca-access,
with an account that may see whether MCA's guards are there, and nothing else; at home the Cluster,
and where a credential is kept a Secret, which the controller alone may read. It tells each step,
and can be run again.

Credentials are of three forms:
  token-request  the broker asks the member for short-lived tokens, of service accounts that
                 `mca cluster allow` has named for a tenant. The usual form.
  audience       pods' own tokens, for an audience of this member alone: nothing is kept. The
                 member's API server must be told to trust home's tokens; it is printed how.
  secret         one tenant's own account on the member, whose token the broker hands out

With --sidecar-image and --control-image it installs MCA's guards and webhook on the member, too.
Without them the member is no boundary, and routes lead no pods, workloads, secrets or service
accounts of enforced tenants there."""
_EPILOG: Final = """\
exit codes: 0 registered, 1 refused or not ended, 64 a bad argument or kubeconfig.

examples:
  mca cluster add eu-1 --context eu-admin
  mca cluster add eu-1 --context eu-admin --sidecar-image IMAGE@DIGEST --control-image IMAGE@DIGEST
  mca cluster add lab --context lab --credentials secret --tenant acme
  mca cluster add eu-2 --context eu-2 --credentials audience --server https://eu-2.example.com"""


def main(arguments: list[str]) -> int:
    """Register one cluster; the exit code."""
    parser = _make_parser()
    given = parser.parse_args(arguments)
    _refuse_nonsense(parser, given)
    try:
        place = read_place(given)
        home = open_kubeconfig(given.home_context, given.kubeconfig)
        member = open_kubeconfig(given.context, given.kubeconfig)
    except (PlaceError, KubeError) as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    wish = Wish(
        given.name, given.credentials, given.context, place, tenant=given.tenant or "",
        audience=given.audience or "", user_prefix=given.user_prefix or "",
        labels=dict(given.label), provision=given.provision,
    )  # fmt: skip
    adding = Adding(home, member, wish, given.system_namespace)
    try:
        adding.examine()
        adding.prepare_member(given)
        adding.register()
    except (StepError, KubeError) as error:
        complain(f"{error}\n{adding.describe_rest()}", _COMMAND)
        return EXIT_FAILED
    tell(adding.describe_end(given.wait))
    return 0


def _make_parser() -> Parser:
    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    add_name(parser)
    group = add_home_options(parser, member=True)
    group.add_argument(
        "--context", metavar="MEMBER", required=True, help="the member, as its admin"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--credentials", choices=FORMS, default=FORMS[0], help="see above (%(default)s)"
    )
    how.add_argument("--tenant", metavar="NAME", help="with secret: whose account it is")
    how.add_argument(
        "--audience", metavar="AUDIENCE",
        help="with audience: one that the controller's settings list, not one of its own",
    )  # fmt: skip
    how.add_argument(
        "--user-prefix", metavar="TEXT",
        help="with audience: what the member puts before names of home's users",
    )  # fmt: skip
    how.add_argument(
        "--provision", action="store_true",
        help="let Tenants with onMembers make namespaces, quotas and roles there",
    )  # fmt: skip
    how.add_argument(
        "--label", metavar="KEY=VALUE", type=parse_label, action="append", default=[],
        help="of the Cluster; may be given again",
    )  # fmt: skip
    how.add_argument(
        "--wait", metavar="SECONDS", type=parse_seconds, default=30,
        help="for the controller to have looked at it (%(default)s); 0: do not wait",
    )  # fmt: skip
    add_place_options(parser)
    add_guard_options(parser)
    return parser


def _refuse_nonsense(parser: Parser, given: argparse.Namespace) -> None:
    form = given.credentials
    if (form == "secret") != bool(given.tenant):
        parser.error("--tenant: belongs to --credentials secret, which serves one tenant")
    for option, text in (("--audience", given.audience), ("--user-prefix", given.user_prefix)):
        if text and form != "audience":
            parser.error(f"{option}: belongs to --credentials audience")
    for option in list_missing_options(given):
        parser.error(f"{option}: guards and webhook need both images, or neither is installed")
