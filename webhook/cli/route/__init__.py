"""Owns `mca route`: finds which of its commands was asked for and runs it.

Must not import more than that command needs.
"""

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, lacks_extra, tell_group

_DESCRIPTION = "Looks at Routes: where calls go."
_COMMANDS = """\
commands:
  test -n NAMESPACE VERB TARGET   which cluster serves a call, now or with other Routes

`mca route COMMAND --help` tells more. Routes as they are: `kubectl get mrt -A`.

examples:
  mca route test -n team-a create jobs.batch
  mca route test -n team-a -f route.yaml list pods"""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    match arguments:
        case ["test", *_] if lacks_extra("route", "kubernetes", "yaml"):
            return EXIT_USAGE
        case ["test", *rest]:
            from webhook.cli.route.trial import main as run_test

            return run_test(rest)
        case _:
            return _tell(arguments)


def _tell(arguments: list[str]) -> int:
    """Help, or what is no command."""
    parser = Parser(
        prog="mca route",
        usage="mca route COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_COMMANDS,
    )
    return tell_group(parser, arguments)
