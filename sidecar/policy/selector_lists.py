"""Owns the lists by which permissions, routes and limits select calls: what may stand in each.

A selector that can never match is refused: a deny rule with a slip of the pen would deny nothing.
It must not match anything: index.py does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.globs import MAX_GLOB, MAX_STARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecar.policy.fields import Check

ANY: Final = "*"
ALL: Final = (ANY,)
_MAX_ENTRIES: Final = 1000
_VERBS: Final = "get|list|watch|create|update|patch|delete|deletecollection"
_METHODS: Final = "get|head|post|put|patch|delete"
_GLOB: Final = f"at most {MAX_STARS} stars and {MAX_GLOB} characters"
_KIND: Final = r"[a-z0-9](?:[a-z0-9_.:-]{0,251}[a-z0-9])?"


class Selector(NamedTuple):
    """What may stand in a list: a pattern, and the same in words."""

    pattern: re.Pattern[str]
    what: str


def _selector(pattern: str, what: str) -> Selector:
    return Selector(re.compile(pattern), what)


def _glob(characters: str, what: str) -> Selector:
    # Possessive: a part that was read is not tried again.
    stars = rf"(?:[{characters}]*+\*){{0,{MAX_STARS}}}+[{characters}]*+"
    return _selector(rf"(?=.{{1,{MAX_GLOB}}}\Z){stars}", f"{what}, or a pattern of {_GLOB}")


VERBS: Final = _selector(rf"\*|{_VERBS}", f"* or one of {_VERBS.replace('|', ', ')}")
METHODS: Final = _selector(rf"\*|{_METHODS}", f"* or one of {_METHODS.replace('|', ', ')}")
GROUPS: Final = _selector(
    r"\*|(?=.{0,253}\Z)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)?",
    'an API group in lower case, "" for the core group, or *',
)
RESOURCES: Final = _selector(
    rf"\*|{_KIND}(?:/(?:\*|{_KIND}))?|\*/{_KIND}",
    "a plural in lower case, kind/subresource, kind/*, */subresource, or * for everything",
)
NAMESPACES: Final = _glob("a-z0-9-", "a namespace's name")
CONTAINERS: Final = _glob("a-z0-9-", "a container's name")
SERVICE_ACCOUNTS: Final = _glob("a-z0-9.-", "a service account's name")
NAMES: Final = _glob("!-$&-)+-.0-~", "an object's name")
PATHS: Final = _selector(rf"(?=[/*]){_glob('!-)+-~', '').pattern.pattern}", f"a path of {_GLOB}")


def read_lists(
    check: Check, item: Mapping[str, object], path: str, selectors: Mapping[str, Selector]
) -> list[tuple[str, ...]]:
    """The named lists, in order; one that is left out selects everything."""
    return [
        _good_list(item[key], selector) or _read_list(check, item[key], f"{path}.{key}", selector)
        if key in item
        else ALL
        for key, selector in selectors.items()
    ]


def _good_list(value: object, selector: Selector) -> tuple[str, ...]:
    """The list as it is where nothing is wrong with it: half of the time to load a snapshot."""
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
        return ()
    matches = selector.pattern.fullmatch
    good = all(isinstance(entry, str) and matches(entry) is not None for entry in value)
    return tuple(value) if good else ()


def _read_list(check: Check, value: object, path: str, selector: Selector) -> tuple[()]:
    """Tell what is wrong with a list."""
    if value == []:
        check.fail(path, "is empty and matches nothing: name something, or * for everything")
        return ()

    def read(entry: object, where: str) -> str | None:
        return check.text(entry, where, selector.pattern, selector.what)

    check.items(value, path, read, least=1, most=_MAX_ENTRIES)
    return ()
