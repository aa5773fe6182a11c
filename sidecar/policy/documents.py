"""Owns the strict read of JSON documents: what a second reader could understand otherwise is doubt.

Such are keys given twice, keys in another case, and YAML's merge keys. All doubt is a ValueError.
It must not know what the documents mean.
"""

from __future__ import annotations

import json
import re
from typing import Final

# A string without an end is taken too: tried again behind each quote, it would cost time squared.
JSON_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
# The largest object that etcd holds has about as many; the parser builds each of them, in some 100
# bytes and a fifth of a microsecond.
_MAX_PARTS: Final = 150_000
# Half a microsecond a string; no object of at most 1.5 MiB has as many.
_MAX_QUOTES: Final = 400_000
_MERGE: Final = "<<"


class Pairs(list[tuple[str, object]]):
    """A JSON object with every key that was given, also twice."""

    __slots__ = ()


def is_bounded(text: str, max_parts: int = _MAX_PARTS) -> bool:
    """Whether a JSON text can be parsed without holding up everybody else."""
    if _count_parts(text) <= max_parts:
        return True
    # Strings may hold as many commas as they like.
    return text.count('"') <= _MAX_QUOTES and _count_parts(JSON_STRING.sub("", text)) <= max_parts


def _count_parts(text: str) -> int:
    return sum(map(text.count, "[{,"))


def parse_document(text: str) -> object:
    """The document, with objects as Pairs."""
    try:
        document: object = json.loads(text, object_pairs_hook=Pairs)
    except RecursionError:
        message = "nested too deeply"
        raise ValueError(message) from None
    return document


def members(value: object, known: dict[str, str]) -> dict[str, object]:
    """The members of an object, none for null.

    `known` has the keys that the caller reads, by their case-folded spelling.
    """
    if value is None:
        return {}
    if not isinstance(value, Pairs):
        message = "not an object"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    found = dict(value)
    if len(found) != len(value) or _MERGE in found:
        message = "keys repeat"
        raise ValueError(message)
    for key in found:
        if known.get(key.casefold(), key) != key:
            message = "a key is spelled in another case"
            raise ValueError(message)
    return found


def fold(*keys: str) -> dict[str, str]:
    """Keys by their case-folded spelling, as `members` asks for them."""
    return {key.casefold(): key for key in keys}


def text_of(value: object) -> str:
    """A string, "" for null."""
    if value is None:
        return ""
    if not isinstance(value, str):
        message = "not a string"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return value
