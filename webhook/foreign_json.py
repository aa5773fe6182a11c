"""Owns how JSON is read in which anybody may have put anything, and one object hides no other.

API servers hand on parts of objects as a client has sent them (`metadata.managedFields` is one):
nested without end, with numbers of any length, with bytes that are no text. Must not leave out what
can be read.
"""

import json
import re
from typing import Any, Final

# What is deeper is of no object's own fields: those of a Pod end at about ten.
MAX_DEPTH: Final = 100
_MAX_DIGITS: Final = 20
# A string to its end, or to that of the content; else one bracket. Never looks back.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_OPENING: Final = b"[{"
_CLOSING: Final = b"]}"


def parse_foreign(content: bytes) -> Any:
    """What it says; ValueError: it is no JSON. Only of what is odd something may be left out."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        text = _cut(content).decode("utf-8", "replace")
    return json.loads(text, parse_int=_read_whole)


def _cut(content: bytes) -> bytes:
    """With null in the place of what is nested too deeply."""
    kept, depth, since = [], 0, 0
    for found in _TOKEN.finditer(content):
        first = content[found.start()]
        if first in _OPENING:
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept += [content[since : found.start()], b"null"]
        elif first in _CLOSING:
            if depth == MAX_DEPTH + 1:
                since = found.end()
            depth -= 1
    if depth <= MAX_DEPTH:
        kept.append(content[since:])
    return b"".join(kept)


def _read_whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)
