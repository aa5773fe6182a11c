"""Owns `mca cluster`: finds which of its commands was asked for and runs it.

Must not import more than that command needs.
"""

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, lacks_extra, tell_group

EXIT_FAILED = 1

_DESCRIPTION = "Registers the clusters that routes can lead to, and tells how they are."
_COMMANDS = """\
commands:
  add NAME --context MEMBER       make an account on a cluster and register it here
  allow NAME --context MEMBER     let a tenant's service accounts work there
  list                            all that are registered: usable, answering, guarded
  remove NAME                     take away what add and allow made

`mca cluster COMMAND --help` tells more.

exit codes: 0 done, 1 refused or not ended, 64 a bad argument or kubeconfig.

examples:
  mca cluster add eu-1 --context eu-admin
  mca cluster allow eu-1 --context eu-admin --tenant acme -n team-a --role edit
  mca cluster list
  mca cluster remove eu-1 --context eu-admin"""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    match arguments:
        case ["add" | "allow" | "list" | "remove", *_] if lacks_extra(
            "cluster", "kubernetes", "yaml"
        ):
            return EXIT_USAGE
        case ["add", *rest]:
            from webhook.cli.cluster.add import main as run_add

            return run_add(rest)
        case ["allow", *rest]:
            from webhook.cli.cluster.allow import main as run_allow

            return run_allow(rest)
        case ["list", *rest]:
            from webhook.cli.cluster.listing import main as run_list

            return run_list(rest)
        case ["remove", *rest]:
            from webhook.cli.cluster.remove import main as run_remove

            return run_remove(rest)
        case _:
            return _tell(arguments)


def _tell(arguments: list[str]) -> int:
    """Help, or what is no command."""
    parser = Parser(
        prog="mca cluster",
        usage="mca cluster COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_COMMANDS,
    )
    return tell_group(parser, arguments)
