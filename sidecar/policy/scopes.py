"""Owns what discovery told about kinds: which have namespaces, for each member, group and version.

It must not guess, fetch or tell the time: who fetches says what was learned and what is in doubt.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# More than any cluster serves; callers can ask for groups without end, and members are not trusted
# to name kinds within reason. What is beyond is as if it were not there.
_MAX_GROUP_VERSIONS: Final = 2048
_MAX_KINDS: Final = 1000
_MAX_KINDS_OF_MEMBER: Final = 20_000
_MAX_NAME: Final = 253


class Absence(enum.Enum):
    """The member answered, and serves no such kind."""

    ABSENT = enum.auto()


ABSENT: Final = Absence.ABSENT


class _Told(NamedTuple):
    kinds: Mapping[str, bool]
    in_doubt: bool


class Scopes:
    """Which kinds have namespaces.

    A kind that was seen stays known until it is learned anew; an absence can be put in doubt,
    because a kind may appear and be used within moments.
    """

    __slots__ = ("_sizes", "_told")

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str], _Told] = {}
        self._sizes: dict[str, int] = {}

    def learn(self, cluster: str, group: str, version: str, kinds: Mapping[str, bool]) -> None:
        """All that the member serves in this group and version: whether each has namespaces."""
        key = (cluster, group, version)
        self._drop(key)
        if len(self._told) >= _MAX_GROUP_VERSIONS:
            self._make_room()
        named = [(name, has) for name, has in kinds.items() if len(name) <= _MAX_NAME]
        kept = dict(named[:_MAX_KINDS])
        self._sizes[cluster] = self._sizes.get(cluster, 0) + len(kept)
        if self._sizes[cluster] > _MAX_KINDS_OF_MEMBER:
            self._make_room_of(cluster)
        self._told[key] = _Told(kept, in_doubt=False)

    def look(self, cluster: str, group: str, version: str, resource: str) -> bool | Absence | None:
        """Whether the kind has namespaces; None where that is not known."""
        told = self._told.get((cluster, group, version))
        if told is None:
            return None
        namespaced = told.kinds.get(resource)
        if namespaced is not None:
            return namespaced
        return None if told.in_doubt else ABSENT

    def kinds_of(self, cluster: str) -> dict[tuple[str, str], bool]:
        """Whether each group and resource of a member has namespaces, as far as it was learned."""
        return {
            (group, resource): namespaced
            for (told_by, group, _), told in self._told.items()
            if told_by == cluster
            for resource, namespaced in told.kinds.items()
        }

    def doubt(self, cluster: str, group: str, version: str) -> None:
        """What was absent may have appeared."""
        told = self._told.get((cluster, group, version))
        if told is not None:
            self._told[cluster, group, version] = told._replace(in_doubt=True)

    def forget(self, cluster: str) -> None:
        """Nothing that this member told counts any more."""
        self._told = {key: told for key, told in self._told.items() if key[0] != cluster}
        self._sizes.pop(cluster, None)

    def _make_room(self) -> None:
        """Groups without a kind go first: those were asked for and are not there."""
        empty = [key for key, told in self._told.items() if not told.kinds]
        for key in empty or [next(iter(self._told))]:
            self._drop(key)

    def _make_room_of(self, cluster: str) -> None:
        """What a member told longest ago goes first."""
        oldest = (key for key in list(self._told) if key[0] == cluster)
        while self._sizes[cluster] > _MAX_KINDS_OF_MEMBER:
            self._drop(next(oldest))

    def _drop(self, key: tuple[str, str, str]) -> None:
        told = self._told.pop(key, None)
        if told is not None:
            self._sizes[key[0]] -= len(told.kinds)
