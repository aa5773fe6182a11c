"""Owns the question which rules take all that another rule takes, by their selectors alone.

Must not say yes where it cannot be told: a pattern takes another if it matches it letter by letter,
stars and all, which misses odd cases and is never wrong. The rules are found by the index that
decisions use, so that thousands of them cost little.
"""

from collections.abc import Sequence

from sidecar.policy.index import Axis, KindAxis, Row

_EVERY = -1


class Covering:
    """Rules on kinds."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._axes = [Axis(column) for column in zip(*map(_plain, rows), strict=True)]
        self._kinds = KindAxis(row.resources for row in rows)

    def find(self, row: Row) -> int:
        """Those that take every call that `row` takes, itself among them; one bit a rule."""
        found = _find_in(self._axes, _plain(row))
        for resource in row.resources:
            kind, _, subresource = resource.partition("/")
            found &= self._kinds.find(kind, subresource)
        return found


class PathCovering:
    """Rules on paths: lists of verbs, paths, containers and service accounts."""

    def __init__(self, rows: Sequence[tuple[tuple[str, ...], ...]]) -> None:
        self._axes = [Axis(column) for column in zip(*rows, strict=True)]

    def find(self, row: tuple[tuple[str, ...], ...]) -> int:
        """As that of Covering."""
        return _find_in(self._axes, row)


def _plain(row: Row) -> tuple[tuple[str, ...], ...]:
    return (
        row.verbs,
        row.groups,
        row.namespaces,
        row.names,
        row.containers,
        row.service_accounts,
    )


def _find_in(axes: Sequence[Axis], lists: Sequence[tuple[str, ...]]) -> int:
    found = _EVERY
    for axis, entries in zip(axes, lists, strict=True):
        for entry in entries:
            found = axis.find(entry, found)
    return found
