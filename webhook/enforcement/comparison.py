"""Owns the comparison of a stored object with what MCA makes: where they differ, by path.

Must not know any kind of object. What the API server adds by itself is no difference.
"""

from collections.abc import Iterator
from typing import Any, Final

# What it fills in where nothing is said: nothing at all, or everything.
_DEFAULTS: Final[tuple[Any, ...]] = (None, {}, [], "", "*")


def list_differences(expected: Any, stored: Any, path: str = "") -> Iterator[str]:
    """The paths, as `kubectl explain` takes them, with places of lists."""
    if isinstance(expected, dict) and isinstance(stored, dict):
        for key in sorted(expected.keys() | stored.keys()):
            below = f"{path}.{key}" if path else key
            if key in expected:
                yield from list_differences(expected[key], stored.get(key), below)
            elif stored[key] not in _DEFAULTS:
                yield below
    elif isinstance(expected, list) and isinstance(stored, list) and len(expected) == len(stored):
        for place, (one, other) in enumerate(zip(expected, stored, strict=True)):
            yield from list_differences(one, other, f"{path}[{place}]")
    elif expected != stored:
        yield path
