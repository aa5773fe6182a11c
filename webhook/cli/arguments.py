"""Owns how arguments are parsed and how a command complains: the same way in all of them.

Must not know any command.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterable
from typing import NoReturn

from webhook.cli import EXIT_USAGE

CONTROL_EXTRA = "multi-cluster-adapter[control]"


class Parser(argparse.ArgumentParser):
    """Keeps the line ends of its texts; a mistake is exit code 64, as any bad configuration.

    Commands whose exit code is their answer have another: `exit_code`.
    """

    def __init__(
        self,
        *,
        prog: str,
        usage: str,
        description: str,
        epilog: str,
        exit_code: int = EXIT_USAGE,
    ) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._exit_code = exit_code

    def error(self, message: str) -> NoReturn:
        """What argparse has found wrong, which does not know what would be right."""
        self.refuse(f"{message}; `{self.prog} --help` tells more")

    def refuse(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and what to do instead."""
        self.exit(self._exit_code, f"{self.prog}: {message}\n")


def tell_group(parser: Parser, arguments: list[str]) -> int:
    """A group of commands was asked for none that it has: its help, or what is no command."""
    parser.add_argument("command", nargs="?", help="one of those below")
    given, unknown = parser.parse_known_args(arguments)
    if given.command is not None:
        parser.refuse(f"{given.command!r} is no command; `{parser.prog} --help` lists them")
    if unknown:
        name = parser.prog
        parser.refuse(f"{unknown[0]!r} is no option of `{name}`; `{name} --help` lists them")
    parser.print_help()
    return 0


def complain(text: str, command: str = "mca") -> None:
    """One line, or one for each line of the text, on standard error."""
    for line in text.splitlines():
        sys.stderr.write(f"{command}: {printable(line)}\n")
    sys.stderr.flush()


def tell(lines: Iterable[str]) -> None:
    """Lines on standard output; whoever reads only some of them, as `head` does, gets those."""
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """The text without what would move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def lacks_extra(command: str, *modules: str) -> bool:
    """Whether a module of the extra is missing; says what to install."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        complain(f"{command} needs {' and '.join(missing)}: install {CONTROL_EXTRA}")
    return bool(missing)
