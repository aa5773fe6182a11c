"""Owns how a list of objects is shown: columns for a reader, one JSON document for a program.

Must not know what is listed.
"""

import json
import time
from calendar import timegm
from collections.abc import Iterator, Sequence
from typing import Any, Final

from webhook.cli.arguments import printable

_GAP: Final = "   "
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines as kubectl prints them; an empty cell is a dash, as a script can tell it from none."""
    cells = [list(header), *([printable(cell) or "-" for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield _GAP.join(padded).rstrip()


def render_list(items: Sequence[Any]) -> str:
    """All of them as one document."""
    return json.dumps({"items": list(items)}, indent=1)


def describe_age(created: object, now: float) -> str:
    """How long ago a time of the API was, in its largest unit; empty where it is none."""
    try:
        seconds = now - timegm(time.strptime(str(created), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return ""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return "0s"
