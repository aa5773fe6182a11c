"""Owns which snapshots of a namespace count as current: the last, and those that it just replaced.

A sidecar takes a moment to follow and to say so: nobody is to be told of each such moment.
"""

import time
from collections.abc import Callable, Collection
from typing import Final

GRACE_S: Final = 30.0


class Recency:
    """For who asks from time to time; `grace_s` may change meanwhile."""

    def __init__(
        self,
        find_revision: Callable[[str], str],
        clock: Callable[[], float] = time.time,
        grace_s: float = GRACE_S,
    ) -> None:
        self._find_revision = find_revision
        self._clock = clock
        self.grace_s = grace_s
        self._seen: dict[str, dict[str, float]] = {}

    def keep_only(self, namespaces: Collection[str]) -> None:
        """Of the others nobody reports any more."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in namespaces}

    def find(self, namespace: str) -> Collection[str]:
        """Its current revisions; none: it has no snapshot."""
        last = self._find_revision(namespace)
        if not last:
            self._seen.pop(namespace, None)
            return ()
        now = self._clock()
        # When each was last the newest.
        seen = self._seen.get(namespace, {})
        self._seen[namespace] = {
            **{known: at for known, at in seen.items() if at > now - self.grace_s},
            last: now,
        }
        return self._seen[namespace].keys()
