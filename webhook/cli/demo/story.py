"""Owns how the demo is told: titles, commands, what they printed, and whether it was as it should.

Must not run anything. Colours only on a terminal, and none where NO_COLOR asks for none.
"""

import os
import sys
from collections.abc import Mapping
from typing import TextIO

from webhook.cli.arguments import printable

_BOLD, _DIM, _RED, _GREEN, _CYAN = "1", "2", "31", "32", "36"


def wants_colour(out: TextIO, env: Mapping[str, str]) -> bool:
    """As https://no-color.org and terminals that cannot have it."""
    return out.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


class Story:
    """Tells, and remembers what went otherwise."""

    def __init__(self, out: TextIO = sys.stdout, *, colour: bool | None = None) -> None:
        self._out = out
        self._colour = wants_colour(out, os.environ) if colour is None else colour
        self._titles = 0
        self.failures: list[str] = []

    def title(self, text: str) -> None:
        """A new part."""
        self._titles += 1
        self._line("")
        self._line(self._paint(_BOLD, f"{self._titles}. {text}"))

    def say(self, text: str) -> None:
        """A sentence."""
        self._line(f"   {text}")

    def command(self, who: str, text: str) -> None:
        """A command, and who gives it."""
        self._line(f"   {self._paint(_DIM, f'{who:>8}')} {self._paint(_CYAN, f'$ {text}')}")

    def output(self, text: str) -> None:
        """What a command printed."""
        for line in text.splitlines():
            self._line(f"            {printable(line)}")

    def check(self, holds: bool, text: str) -> None:
        """What is to be true; the demo fails if it is not."""
        mark = self._paint(_GREEN, "ok") if holds else self._paint(_RED, "FAILED")
        self._line(f"   {mark}: {text}")
        if not holds:
            self.failures.append(text)

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
