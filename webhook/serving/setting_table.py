"""Owns how a table of settings is read out of the environment, and shown by `--help`.

Must not know any setting, nor the form of a value: setting_values.py does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")
_COLUMNS: Final = 100


class Setting(NamedTuple):
    """One row: a variable, what holds without it, and what it is for."""

    variable: str
    default: str
    meaning: str


class Reader:
    """Reads one variable after the other; `errors` are a sentence for each that is wrong."""

    def __init__(self, table: Sequence[Setting], env: Mapping[str, str]) -> None:
        self._defaults = {setting.variable: setting.default for setting in table}
        self._env = env
        self.errors: list[str] = []

    def __call__(self, variable: str, parse: Callable[[str], T], instead: T) -> T:
        """Its value, or that of its default; `instead` of one that is wrong."""
        try:
            return parse(self._env.get(variable, self._defaults[variable]))
        except ValueError as error:
            self.errors.append(f"{variable}: {error}")
            return instead


def describe_settings(table: Sequence[Setting]) -> Iterator[str]:
    """Lines for each, no longer than a terminal is wide."""
    width = max(len(setting.variable) for setting in table)
    for variable, default, meaning in table:
        yield from wrap(
            f"{meaning} [{default}]" if default else meaning,
            _COLUMNS,
            initial_indent=f"  {variable:<{width}} ",
            subsequent_indent=" " * (width + 3),
            break_long_words=False,
            break_on_hyphens=False,
        )
