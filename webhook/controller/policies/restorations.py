"""Owns how often the log says that a namespace's objects had to be restored.

Whoever may write there can have them restored as fast as the controller works. Must not log.
"""

import time
from collections.abc import Callable
from typing import Final

AGAIN_S: Final = 60.0


class Restorations:
    """Of all namespaces; each is asked about by one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}

    def count(self, namespace: str) -> int | None:
        """How many there were since it was last told, with this one; None: it is not told now."""
        now = self._clock()
        since, untold = self._told.get(namespace, (now - AGAIN_S, 0))
        if now - since < AGAIN_S:
            self._told[namespace] = (since, untold + 1)
            return None
        self._told[namespace] = (now, 0)
        return untold + 1

    def begin_term(self) -> None:
        """What was told is of another term."""
        self._told.clear()

    def forget(self, namespace: str) -> None:
        """The namespace is gone."""
        self._told.pop(namespace, None)
