"""Owns patterns with stars: whether one matches a text, in time linear in both.

Nothing here backtracks: the parts between the stars are looked for once each, from left to right.
It must not know what is matched.
"""

from __future__ import annotations

from typing import Final

MAX_GLOB: Final = 253
MAX_STARS: Final = 8

# What the API server appends to metadata.generateName, and to how much of it.
_GENERATED_ALPHABET: Final = frozenset("bcdfghjklmnpqrstvwxz2456789")
_GENERATED_LENGTH: Final = 5
_MAX_GENERATED_BASE: Final = 58
# Stands for a letter that is not known yet; no pattern holds it.
_UNKNOWN: Final = "\x00"


def glob_matches(parts: tuple[str, ...], text: str) -> bool:
    """Whether the pattern matches; `parts` are its pieces between the stars, two at least."""
    first, *middle, last = parts
    end = len(text) - len(last)
    at = len(first)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a pattern, with stars or without, matches."""
    parts = tuple(pattern.split("*"))
    return pattern == text if len(parts) == 1 else glob_matches(parts, text)


def surely_generated(base: str) -> str:
    """A text that patterns match only if they match every name made of a generateName."""
    return base[:_MAX_GENERATED_BASE] + _UNKNOWN * _GENERATED_LENGTH


def generated_matches(pattern: str, base: str) -> bool | None:
    """Whether a pattern matches the name that the server makes of a generateName.

    None: it may and it may not, or that could not be told.
    """
    name = surely_generated(base)
    if pattern_matches(pattern, name):
        return True
    first, star, rest = pattern.partition("*")
    last = rest.rpartition("*")[2]
    if not star and len(first) != len(name):
        return False
    # Whatever stands before the first star and behind the last must be there, letter by letter.
    fits = _fits(first, name) and (not star or _fits(last[::-1], name[::-1]))
    return None if fits else False


def _fits(wanted: str, name: str) -> bool:
    return len(wanted) <= len(name) and all(
        letter == known or (known == _UNKNOWN and letter in _GENERATED_ALPHABET)
        for letter, known in zip(wanted, name, strict=False)
    )
