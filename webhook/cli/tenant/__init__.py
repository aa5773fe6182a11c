"""Owns `mca tenant`: finds which of its commands was asked for and runs it.

Must not import more than that command needs.
"""

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, lacks_extra, tell_group

_DESCRIPTION = "Looks at Tenants: what they hold, what was made for them, and what lacks."
_COMMANDS = """\
commands:
  list          all of them, in a line each
  show NAME     one, with its conditions, namespaces and Routes

`mca tenant COMMAND --help` tells more.

exit codes: 0 told, 1 it is not there or cannot be read, 64 a bad argument or kubeconfig.

examples:
  mca tenant list
  mca tenant show acme -o json"""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    if arguments[:1] and arguments[0] in ("list", "show"):
        if lacks_extra("tenant", "kubernetes", "yaml"):
            return EXIT_USAGE
        from webhook.cli.tenant.showing import list_tenants, show_tenant

        run = list_tenants if arguments[0] == "list" else show_tenant
        return run(arguments[1:])
    return _tell(arguments)


def _tell(arguments: list[str]) -> int:
    """Help, or what is no command."""
    parser = Parser(
        prog="mca tenant",
        usage="mca tenant COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_COMMANDS,
    )
    return tell_group(parser, arguments)
