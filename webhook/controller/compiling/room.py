"""Owns how much room Routes have in a namespace, and which of them count by that.

Must not look at what they say: it is asked of Routes, too, of which no more is known than their
priority and size.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from webhook.controller.compiling.fitting import MAX_BYTES
from webhook.resources.meta import Invalid
from webhook.resources.routes import Outline, Route, Size

MAX_ROUTES: Final = 100
# In the lists of all their matches. A word of a few letters is half a KiB of a sidecar's memory,
# which has 64 MiB; and all of them are looked at in each compile.
MAX_WORDS: Final = 8000
# More would not fit into a snapshot.
MAX_LETTERS: Final = MAX_BYTES


class Chosen(NamedTuple):
    """Routes in the order of their priority: those that count, then those that do not."""

    counted: list[Route | Outline]
    wordy: list[Route | Outline]  # the lists of those before them, and their own, hold too much
    surplus: list[Route | Outline]


class Room:
    """What is left in one namespace."""

    def __init__(self) -> None:
        self._routes = MAX_ROUTES
        self._words = MAX_WORDS
        self._letters = MAX_LETTERS

    def take(self, size: Size) -> bool:
        """Whether there was room for one more of this size."""
        words, letters = size
        if self._routes < 1 or words > self._words or letters > self._letters:
            return False
        self._routes -= 1
        self._words -= words
        self._letters -= letters
        return True


def choose_counted(routes: Iterable[Route | Outline | Invalid]) -> Chosen:
    """The first that does not fit ends it: one of a lower priority never counts in its place."""
    good = [route for route in routes if not isinstance(route, Invalid)]
    good.sort(key=lambda route: (-route.priority, route.name))
    first, room = good[:MAX_ROUTES], Room()
    count = next((at for at, route in enumerate(first) if not room.take(route.size)), len(first))
    return Chosen(first[:count], first[count:], good[MAX_ROUTES:])
