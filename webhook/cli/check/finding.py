"""Owns what a check comes to: one line for a reader, the same as an object for a program.

Must not check anything.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """`warn` is for what works and should not stay so."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    """`check` is stable; what is not in order has a hint."""

    group: str
    check: str
    status: Status
    message: str
    hint: str = ""


class UndecidedError(Exception):
    """What a check needs could not be read."""


class Reporter(NamedTuple):
    """Makes the findings of one check."""

    group: str
    check: str

    def ok(self, message: str) -> Finding:
        """In order."""
        return Finding(self.group, self.check, Status.OK, message)

    def warn(self, message: str, hint: str) -> Finding:
        """It works, and should not stay so."""
        return Finding(self.group, self.check, Status.WARN, message, hint)

    def fail(self, message: str, hint: str) -> Finding:
        """It does not work, or does not hold."""
        return Finding(self.group, self.check, Status.FAIL, message, hint)

    def unknown(self, message: str, hint: str) -> Finding:
        """Nobody could say."""
        return Finding(self.group, self.check, Status.UNKNOWN, message, hint)


def list_some(names: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    named = list(names)
    told = ", ".join(named[:most])
    return f"{told} and {len(named) - most} more" if len(named) > most else told
