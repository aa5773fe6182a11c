"""Owns the difference between two JSON documents, as a JSON Patch (RFC 6902).

Must not know what the documents are. Items of lists that are known by a key (`name`, `mountPath`)
are patched where they stand; what is not touched does not appear.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

RawOperation = dict[str, Any]
_KEYS = ("mountPath", "name")


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
    matcher = SequenceMatcher(None, _mark(old), _mark(new), autojunk=False)
    for change, from_old, to_old, from_new, to_new in reversed(matcher.get_opcodes()):
        if change == "equal":
            for offset in range(to_old - from_old):
                index = from_old + offset
                yield from _diff(old[index], new[from_new + offset], f"{path}/{index}")
            continue
        for index in reversed(range(from_old, to_old)):
            yield {"op": "remove", "path": f"{path}/{index}"}
        for value in reversed(new[from_new:to_new]):
            yield {"op": "add", "path": f"{path}/{from_old}", "value": value}


def _mark(items: Sequence[Any]) -> list[str]:
    """What makes an item the same one in both lists."""
    marks = []
    for item in items:
        key = next((key for key in _KEYS if isinstance(item, dict) and key in item), None)
        marks.append(repr(item) if key is None else f"{key}={item[key]!r}")
    return marks


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
