"""Owns the difference between two JSON documents, as a JSON Patch (RFC 6902).

Must not know what the documents are. Items of lists that are known by a key (`name`,
`mountPath`, `ip`) are patched where they stand; what is not touched does not appear.
"""

from collections.abc import Iterator
from typing import Any

RawOperation = dict[str, Any]
_KEYS = ("mountPath", "name", "ip")


def diff(old: Any, new: Any, path: str = "") -> list[RawOperation]:
    """The operations that make `new` of `old`; none when they are equal."""
    operations: list[RawOperation] = []
    _diff(old, new, path, operations)
    return operations


def _diff(old: Any, new: Any, path: str, found: list[RawOperation]) -> None:
    # Most of a pod is the very same object on both sides: no need to look into it.
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        _diff_objects(old, new, path, found)
    elif isinstance(old, list) and isinstance(new, list):
        _diff_lists(old, new, path, found)
    elif type(old) is not type(new) or old != new:
        found.append({"op": "replace", "path": path, "value": new})


def _diff_objects(
    old: dict[str, Any], new: dict[str, Any], path: str, found: list[RawOperation]
) -> None:
    for key, value in old.items():
        if key not in new:
            found.append({"op": "remove", "path": f"{path}/{_escape(key)}"})
        elif value is not new[key]:
            _diff(value, new[key], f"{path}/{_escape(key)}", found)
    if new.keys() <= old.keys():
        return
    for key, value in new.items():
        if key not in old:
            found.append({"op": "add", "path": f"{path}/{_escape(key)}", "value": value})


def _diff_lists(old: list[Any], new: list[Any], path: str, found: list[RawOperation]) -> None:
    """From the end to the start, so that the places of what comes before stay true."""
    start, end_old, end_new = _skip_same(old, new)
    changed = range(start, end_old)
    # Each item stays where it is, as in most lists: nothing is to be paired.
    if end_old == end_new and all(_name(old[index]) == _name(new[index]) for index in changed):
        for index in reversed(changed):
            _diff(old[index], new[index], f"{path}/{index}", found)
        return
    for index, other in reversed(_pair(old[start:end_old], new[start:end_new])):
        index, other = index + start, other + start  # noqa: PLW2901 - as in the whole lists
        _splice(index + 1, end_old, new[other + 1 : end_new], path, found)
        _diff(old[index], new[other], f"{path}/{index}", found)
        end_old, end_new = index, other
    _splice(start, end_old, new[start:end_new], path, found)


def _skip_same(old: list[Any], new: list[Any]) -> tuple[int, int, int]:
    """Most lists are changed at one end: the rest is the very same objects."""
    end_old, end_new = len(old), len(new)
    while end_old and end_new and old[end_old - 1] is new[end_new - 1]:
        end_old, end_new = end_old - 1, end_new - 1
    start, least = 0, min(end_old, end_new)
    while start < least and old[start] is new[start]:
        start += 1
    return start, end_old, end_new


def _splice(start: int, end: int, values: list[Any], path: str, found: list[RawOperation]) -> None:
    if start < end:
        found += [
            {"op": "remove", "path": f"{path}/{index}"} for index in range(end - 1, start - 1, -1)
        ]
    if values:
        place = f"{path}/{start}"
        found += [{"op": "add", "path": place, "value": value} for value in reversed(values)]


def _pair(old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
    """Where the items are that stay, in both lists; one that moved forward is not among them.

    Linear, whatever a list holds: whoever may create pods decides on that.
    """
    if not (old and new):
        return []
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
    seen: dict[str, int] = {}
    for item in items:
        mark = _name(item)
        count = seen.get(mark, 0)
        yield mark, count
        seen[mark] = count + 1


def _name(item: Any) -> str:
    if isinstance(item, dict):
        for key in _KEYS:
            if key in item:
                return f"{key}={item[key]!r}"
    return repr(item)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
