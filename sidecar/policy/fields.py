"""Owns the reading of a snapshot's JSON: field by field, every error with its path and remedy.

It must not know what the fields mean: the modules named snapshot_* do.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from sidecar.policy.verdict import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

DNS_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
DNS_SUBDOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)
_MAX_PATH: Final = 4096


class Fields(dict[str, object]):
    """A JSON object that remembers a key that was given twice."""

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice: str | None = None
        if len(self) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.twice = counts.most_common(1)[0][0]


def read_json(raw: bytes) -> object:
    """The document, objects as Fields; ValueError says what is wrong with it."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=Fields)
    except UnicodeDecodeError:
        message = "is not UTF-8: write it as UTF-8 without a byte order mark"
        raise ValueError(message) from None
    except (ValueError, RecursionError) as error:
        message = f"is not JSON: {shown(str(error))}"
        raise ValueError(message) from None


class Check:
    """Collects what is wrong while values are read.

    What is wrong becomes None or empty; it counts for nothing once there is an error.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []

    def fail(self, path: str, message: str) -> None:
        self.errors.append(f"{path}: {message}")

    def fields(
        self, value: object, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> Fields | None:
        where = path or "$"
        if not isinstance(value, Fields):
            self.fail(where, "must be an object")
            return None
        before = len(self.errors)
        if value.twice is not None:
            self.fail(where, f"gives {shown(value.twice)!r} twice: keep one")
        prefix = f"{path}." if path else ""
        for key in value:
            if key not in required and key not in optional:
                self.fail(f"{prefix}{shown(key)}", "is not a field of version 1: remove it")
        for key in required:
            if key not in value:
                self.fail(f"{prefix}{key}", "is missing")
        return value if len(self.errors) == before else None

    def constant(self, value: object, path: str, wanted: str) -> None:
        if value != wanted:
            self.fail(path, f"must be {wanted!r}")

    def text(self, value: object, path: str, pattern: re.Pattern[str], what: str) -> str | None:
        if isinstance(value, str) and pattern.fullmatch(value) is not None:
            return value
        self.fail(path, f"must be {what}")
        return None

    def label(self, value: object, path: str) -> str | None:
        return self.text(value, path, DNS_LABEL, "a DNS-1123 label of at most 63 characters")

    def whole(self, value: object, path: str, least: int, most: int) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.fail(path, f"must be a whole number from {least} to {most}")
        return None

    def number(self, value: object, path: str, least: float, most: float) -> float | None:
        # NaN, which json reads, is in no range.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and least <= value <= most
        ):
            return value
        self.fail(path, f"must be a number from {least:g} to {most:g}")
        return None

    def file_path(self, value: object, path: str) -> str | None:
        if (
            isinstance(value, str)
            and value.startswith("/")
            and len(value) <= _MAX_PATH
            and value.isprintable()
            and ".." not in value.split("/")
        ):
            return value
        self.fail(path, f"must be an absolute path without '..', of at most {_MAX_PATH} characters")
        return None

    def items(
        self,
        value: object,
        path: str,
        read: Callable[[object, str], T | None],
        *,
        least: int,
        most: int,
    ) -> tuple[T, ...] | None:
        """A list of which `read` makes each item."""
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.fail(path, f"must be a list of {least} to {most}")
            return None
        found = [read(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return None if None in found else tuple(item for item in found if item is not None)

    def unique(self, path: str, key: str, names: Iterable[str]) -> None:
        """No name may stand twice in the list at `path`."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self.fail(f"{path}[{index}]{key}", f"{name!r} stands twice: names are unique")
            seen.add(name)
