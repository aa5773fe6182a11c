"""Owns how much of what has been sent may be held at once, by each namespace and by all together.

Must not wait: whoever finds no room is told so.
"""


class Room:
    """Bytes, by namespace.

    A namespace may hold as much as it leaves free: one alone holds at most a half, and whoever
    comes next finds room, without a limit that would have to be set for each.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}
        self._total = 0

    def take(self, namespace: str, size: int) -> bool:
        """Whether it was free; what was taken must be given back."""
        held = self._held.get(namespace, 0) + size
        if held > self._most - self._total - size:
            return False
        self._held[namespace] = held
        self._total += size
        return True

    def give_back(self, namespace: str, size: int) -> None:
        """What was taken before."""
        self._total -= size
        self._held[namespace] -= size
        if not self._held[namespace]:
            del self._held[namespace]
