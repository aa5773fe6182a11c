"""Owns how much of what has been sent may be held at once: of each peer, and of each namespace.

Must not wait: whoever finds no room is told so. What a body says of its namespace counts among
those of the same peer alone: anybody may say so, and no one chooses his address.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Share:
    """Of one peer."""

    held: int = 0
    namespaces: dict[str, int] = field(default_factory=dict)


class Room:
    """Bytes, or whatever is counted.

    A peer may hold half of what the others leave, and each of its namespaces as much as it leaves
    free of that: one alone holds at most a quarter, and whoever comes next finds room, without a
    limit that would have to be set for each.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._shares: dict[str, _Share] = {}

    def enter(self, peer: str, namespace: str) -> "Place":
        """A place that holds nothing yet."""
        return Place(self, peer, namespace)

    def take(self, peer: str, namespace: str, size: int) -> bool:
        """Whether there was room; what was taken must be given back."""
        share = self._shares.get(peer) or _Share()
        allowed = (self._most - (self._total - share.held)) // 2
        held = share.namespaces.get(namespace, 0) + size
        if held > allowed - share.held - size:
            return False
        share.namespaces[namespace] = held
        share.held += size
        self._total += size
        self._shares[peer] = share
        return True

    def give_back(self, peer: str, namespace: str, size: int) -> None:
        """What was taken before."""
        share = self._shares[peer]
        self._total -= size
        share.held -= size
        share.namespaces[namespace] -= size
        if not share.namespaces[namespace]:
            del share.namespaces[namespace]
        if not share.held:
            del self._shares[peer]


class Place:
    """What one review holds; it grows as its bytes arrive."""

    def __init__(self, room: Room, peer: str, namespace: str) -> None:
        self._room = room
        self._key = peer, namespace
        self._held = 0

    def grow(self, size: int) -> bool:
        """Whether there was room."""
        found = self._room.take(*self._key, size)
        self._held += size if found else 0
        return found

    def leave(self) -> None:
        """Give back all of it."""
        if self._held:
            self._room.give_back(*self._key, self._held)
            self._held = 0
