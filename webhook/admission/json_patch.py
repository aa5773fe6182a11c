"""Owns the difference between two JSON documents, as a JSON Patch (RFC 6902).

Must not know what the documents are. Items of lists that are known by a key (`name`,
`mountPath`, `ip`) are patched where they stand; what is not touched does not appear.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

RawOperation = dict[str, Any]
_KEYS = ("mountPath", "name", "ip")


def diff(old: Any, new: Any, path: str = "") -> list[RawOperation]:
    """The operations that make `new` of `old`; none when they are equal."""
    return list(_diff(old, new, path))


def _diff(old: Any, new: Any, path: str) -> Iterator[RawOperation]:
    # Most of a pod is the very same object on both sides: no need to look into it.
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _diff_objects(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _diff_lists(old, new, path)
    elif type(old) is not type(new) or old != new:
        yield {"op": "replace", "path": path, "value": new}


def _diff_objects(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[RawOperation]:
    for key, value in old.items():
        if key not in new:
            yield {"op": "remove", "path": f"{path}/{_escape(key)}"}
        else:
            yield from _diff(value, new[key], f"{path}/{_escape(key)}")
    for key, value in new.items():
        if key not in old:
            yield {"op": "add", "path": f"{path}/{_escape(key)}", "value": value}


def _diff_lists(old: list[Any], new: list[Any], path: str) -> Iterator[RawOperation]:
    """From the end to the start, so that the places of what comes before stay true."""
    end_old, end_new = _skip_same_end(old, new)
    for index, other in reversed(_pair(old[:end_old], new[:end_new])):
        yield from _splice(index + 1, end_old, new[other + 1 : end_new], path)
        yield from _diff(old[index], new[other], f"{path}/{index}")
        end_old, end_new = index, other
    yield from _splice(0, end_old, new[:end_new], path)


def _skip_same_end(old: list[Any], new: list[Any]) -> tuple[int, int]:
    """Most lists are changed at their start: what follows is the very same objects."""
    end_old, end_new = len(old), len(new)
    while end_old and end_new and old[end_old - 1] is new[end_new - 1]:
        end_old, end_new = end_old - 1, end_new - 1
    return end_old, end_new


def _splice(start: int, end: int, values: list[Any], path: str) -> Iterator[RawOperation]:
    for index in reversed(range(start, end)):
        yield {"op": "remove", "path": f"{path}/{index}"}
    for value in reversed(values):
        yield {"op": "add", "path": f"{path}/{start}", "value": value}


def _pair(old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
    """Where the items are that stay, in both lists; one that moved forward is not among them.

    Linear, whatever a list holds: whoever may create pods decides on that.
    """
    places = {mark: place for place, mark in enumerate(_mark(new))}
    pairs: list[tuple[int, int]] = []
    last = -1
    for index, mark in enumerate(_mark(old)):
        place = places.get(mark, -1)
        if place > last:
            pairs.append((index, place))
            last = place
    return pairs


def _mark(items: list[Any]) -> Iterator[tuple[str, int]]:
    """What makes an item the same one in both lists, and how many such came before."""
    seen: Counter[str] = Counter()
    for item in items:
        key = next((key for key in _KEYS if isinstance(item, dict) and key in item), None)
        mark = repr(item) if key is None else f"{key}={item[key]!r}"
        yield mark, seen[mark]
        seen[mark] += 1


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
