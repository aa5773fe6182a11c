"""Owns the memory that is set aside for what is held back: bodies to be judged, merged documents.

Shared by the containers, so that none takes all of it: each may have half of what the others leave.
Must not hold anything itself.
"""

from collections import Counter

_FIRST = 4096
_TOTAL = 12 << 20


class Budget:
    """How much is held, and for whom."""

    def __init__(self, containers: int, total: int = _TOTAL) -> None:
        self._total = total
        self._alone = containers <= 1
        self._held: Counter[str] = Counter()

    def take(self, container: str, size: int) -> bool:
        """Set so much more aside for a container; False if that is more than its share."""
        own = self._held[container]
        left = self._total - self._held.total() + own
        if own + size > (left if self._alone else left // 2):
            return False
        self._held[container] += size
        return True

    def give_back(self, container: str, size: int) -> None:
        """It is no longer held."""
        self._held[container] -= size


class Share:
    """What one call holds. It grows with what comes: who only promises much holds little."""

    __slots__ = ("_budget", "_container", "_most", "size")

    def __init__(self, budget: Budget, container: str, most: int) -> None:
        self._budget = budget
        self._container = container
        self._most = most  # that can ever be held of it
        self.size = 0

    def grow(self, needed: int) -> bool:
        """Hold so much in all; False if there is no room."""
        if needed <= self.size:
            return True
        # By doubling, so that a byte at a time does not ask for each.
        wanted = max(needed, min(max(2 * self.size, _FIRST), self._most))
        if not self._budget.take(self._container, wanted - self.size):
            return False
        self.size = wanted
        return True

    def give_back(self) -> None:
        """All of it; a second time is nothing."""
        size, self.size = self.size, 0
        self._budget.give_back(self._container, size)
