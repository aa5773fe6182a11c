"""Owns `mca policy`: finds which of its commands was asked for and runs it.

Must not import more than that command needs.
"""

from webhook.cli.arguments import Parser, tell_group

EXIT_FINDINGS = 1
EXIT_ERROR = 2

_DESCRIPTION = "Looks at snapshots, which hold a namespace's rules, without any cluster."
_COMMANDS = """\
commands:
  check FILE ...                        every error, and rules that can never match
  replay AUDIT.jsonl --snapshot FILE    what another snapshot would decide otherwise

`mca policy COMMAND --help` tells more. What one call would come to: `mca explain`.

exit codes: 0 nothing to say, 1 findings or changes, 2 error.

examples:
  mca policy check policy.json
  mca policy replay calls.jsonl --snapshot policy.json"""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    match arguments:
        case ["check", *rest]:
            from webhook.cli.policy.check import main as run_check

            return run_check(rest)
        case ["replay", *rest]:
            from webhook.cli.policy.replay import main as run_replay

            return run_replay(rest)
        case _:
            return _tell(arguments)


def _tell(arguments: list[str]) -> int:
    """Help, or what is no command."""
    parser = Parser(
        prog="mca policy",
        usage="mca policy COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_COMMANDS,
        exit_code=EXIT_ERROR,
    )
    return tell_group(parser, arguments)
