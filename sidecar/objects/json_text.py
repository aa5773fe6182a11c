"""Owns a strict walk over JSON text that builds next to nothing: which values stand at which keys.

Must not know what the keys mean. Text is Latin-1 of the bytes, so that places in it are places in
the bytes; whoever brings it has seen to it that they are UTF-8. Values that nobody wants are
skipped by the C scanner of the standard library, which is as strict as JSON is; only the objects
on the way to a wanted key are walked here, key by key. What two readers could understand
differently (a key twice, or in another case) is refused.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from sidecar.objects.inspection import TransformError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SPACE: Final = r"[ \t\n\r]*+"
_KEY: Final = re.compile(
    rf'{_SPACE}"([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)"{_SPACE}:{_SPACE}'
)
_EMPTY: Final = re.compile(rf"\{{{_SPACE}\}}")
_NEXT: Final = re.compile(rf"{_SPACE}([,}}])")
# More than any object has keys on one level; each costs a microsecond.
_MAX_MEMBERS: Final = 20_000
# The scanner builds what it skips: up to 60 bytes for each part, for as long as it skips.
_MAX_PARTS: Final = 300_000
_SMALL: Final = 1 << 18

AMBIGUOUS: Final = "a key in it is given twice, or in another case"

# A value that was found, and where it begins and ends. Only strings and null come as they are.
Span = tuple[object, int, int]
Found = dict[str, Span]


class IncompleteError(Exception):
    """The text ends too early, or is no JSON: only its end tells which."""


class Wanted:
    """A key whose value is wanted; with `children`, those of its value where it is an object."""

    __slots__ = ("children", "folded", "path")

    def __init__(self, path: str = "", children: Mapping[str, Wanted] | None = None) -> None:
        self.path = path
        self.children = dict(children or {})
        self.folded = frozenset(key.casefold() for key in self.children)


def want(*paths: str) -> Wanted:
    """The keys at these dotted paths."""
    root = Wanted()
    for path in paths:
        node = root
        names = path.split(".")
        for depth, name in enumerate(names, 1):
            known = node.children.get(name)
            if known is None:
                known = node.children[name] = Wanted(".".join(names[:depth]))
                node.folded |= {name.casefold()}
            node = known
    return root


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


# Objects and numbers that are skipped become a bool at once: neither is kept, and no number is
# too long to be read.
_decoder = json.JSONDecoder(
    object_hook=bool, parse_int=bool, parse_float=bool, parse_constant=_refuse_constant
)
_scan: Callable[[str, int], tuple[object, int]] = vars(_decoder)["scan_once"]


def scan(text: str, at: int) -> tuple[object, int]:
    """The value that begins here, and its end."""
    try:
        return _scan(text, at)
    except RecursionError:
        error = "it is nested too deeply"
        raise TransformError(error) from None
    except (StopIteration, ValueError):
        raise IncompleteError from None


def check_parts(text: str, at: int = 0) -> None:
    """Refuse what would take too much memory to skip."""
    if len(text) - at > _SMALL and sum(text.count(sign, at) for sign in ",[{") > _MAX_PARTS:
        error = "an object in it has too many parts"
        raise TransformError(error)


def read_key(text: str, at: int) -> tuple[str, int]:
    """The key that begins here, and where its value does."""
    match = _KEY.match(text, at)
    if match is None:
        raise IncompleteError
    key = match[1]
    if not key.isascii():
        key = key.encode("latin-1").decode("utf-8")
    if "\\" in key:
        try:
            key = json.loads(f'"{key}"')
        except ValueError:
            raise IncompleteError from None
    return key, match.end()


def find_next(text: str, at: int) -> tuple[str, int]:
    """What follows a member of an object, and where the text goes on behind it."""
    match = _NEXT.match(text, at)
    if match is None:
        raise IncompleteError
    return match[1], match.end()


def locate(text: str, at: int, wanted: Wanted, found: Found) -> int:
    """Walk the value that begins here; what is wanted of it goes to `found`. Returns its end."""
    if text[at : at + 1] != "{":
        return scan(text, at)[1]
    empty = _EMPTY.match(text, at)
    if empty is not None:
        return empty.end()
    at += 1
    children, folded = wanted.children, wanted.folded
    for _ in range(_MAX_MEMBERS):
        key, at = read_key(text, at)
        node = children.get(key)
        if node is None:
            if key.casefold() in folded:
                raise TransformError(AMBIGUOUS)
            at = scan(text, at)[1]
        else:
            at = _take(text, at, node, found)
        sign, at = find_next(text, at)
        if sign == "}":
            return at
    error = "an object in it has too many keys"
    raise TransformError(error)


def _take(text: str, at: int, node: Wanted, found: Found) -> int:
    if node.path in found:
        raise TransformError(AMBIGUOUS)
    if node.children and text[at : at + 1] == "{":
        found[node.path] = (True, at, at)
        return locate(text, at, node, found)
    value, end = scan(text, at)
    found[node.path] = (value, at, end)
    return end


def text_at(found: Found, path: str) -> str | None:
    """The string at a path; None where there is none, or null. Anything else is refused."""
    span = found.get(path)
    if span is None or span[0] is None:
        return None
    value = span[0]
    if not isinstance(value, str):
        error = "a name or a version in it is no string"
        raise TransformError(error)
    return value
