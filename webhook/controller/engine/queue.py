"""Owns which key is next: each once, groups in turns, failed ones after growing pauses.

Of one group no more than so many are handed out at once. Must not know what is done with a key.
Its lock is held for moments only: whoever adds is a reflector, which has to go on.
"""

import heapq
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

# Its keys are handed out before all others'.
FIRST_GROUP: Final = ""
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 60.0
# Who was faster has won; what to do now is known as soon as the watch has told it.
CONFLICT_PAUSE_S: Final = 0.05
_DOUBLINGS: Final = 10
# What fails again and again is not done at every change: failing may be what causes them.
_PATIENCE: Final = 3
_IMPATIENT_S: Final = 2.0
_STALE: Final = 64
_JITTER: Final = random.Random()  # noqa: S311 - spreads load, keeps no secret


class Taken(NamedTuple):
    """A key that somebody works on, and how long it has waited."""

    key: str
    waited_s: float


class _Held:
    """What is known of a key while somebody works on it."""

    __slots__ = ("again", "group")

    def __init__(self, group: str) -> None:
        self.group = group
        self.again = False  # it has to be done once more


class Queue:
    """Keys that wait, are worked on, or come back later."""

    def __init__(
        self,
        group: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
        most_of_group: int = 1 << 30,
    ) -> None:
        self._group = group
        self._clock = clock
        self._most_of_group = most_of_group
        self._changed = threading.Condition()
        # Groups in the order of their turns; in each the keys, with the time that they came.
        self._waiting: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        # Where a key waits: its group may have become another since.
        self._groups: dict[str, str] = {}
        self._taken: dict[str, _Held] = {}
        self._busy: Counter[str] = Counter()  # by group, how many are taken
        self._later: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}  # what counts of `_later`
        self._failures: dict[str, int] = {}
        self._closed = False
        self._timed = False  # a worker waits for the next time of `_later`

    def __len__(self) -> int:
        """How many wait for a worker; not those that wait for their time."""
        return sum(map(len, self._waiting.values()))

    def add(self, key: str) -> None:
        """Something has changed for this key; a pause after a failure ends."""
        with self._changed:
            self._add(key)

    def take(self) -> Taken | None:
        """The next key, when there is one; None: the queue is closed."""
        with self._changed:
            while not self._closed:
                self._bring_due()
                group = self._choose_group()
                if group is not None:
                    return self._take(group)
                self._sleep()
            return None

    def finish(self, key: str, again_s: float | None = None) -> None:
        """It is done; wanted again after so many seconds, or when something changes."""
        with self._changed:
            self._failures.pop(key, None)
            self._give_back(key, again_s)

    def fail(self, key: str, *, conflict: bool = False) -> float:
        """It is to be done again; the pause until then."""
        with self._changed:
            failed = self._failures[key] = self._failures.get(key, 0) + 1
            # A storm of conflicts has pauses that grow as well, from where it began.
            first = CONFLICT_PAUSE_S if conflict else FIRST_PAUSE_S
            pause = min(LONGEST_PAUSE_S, first * 2.0 ** min(failed - 1, _DOUBLINGS))
            pause *= _JITTER.uniform(0.5, 1.0)
            self._give_back(key, pause)
            return pause

    def close(self) -> None:
        """Hand out no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, key: str) -> None:
        if key in self._taken:
            self._taken[key].again = True
            return
        due = self._due.pop(key, None)
        if due is not None and self._failures.get(key, 0) > _PATIENCE:
            self._postpone(key, min(due, self._clock() + _IMPATIENT_S))
            return
        self._admit(key)

    def _admit(self, key: str) -> None:
        if key in self._groups:
            return
        group = self._groups[key] = self._group(key)
        self._waiting.setdefault(group, OrderedDict())[key] = self._clock()
        self._changed.notify()

    def _sleep(self) -> None:
        """One worker looks at the clock, the others sleep until there is something."""
        if self._later and not self._timed:
            self._timed = True
            self._changed.wait(max(0.0, self._later[0][0] - self._clock()))
            self._timed = False
        else:
            self._changed.wait()

    def _choose_group(self) -> str | None:
        """The next that has not as many in work as it may."""
        if FIRST_GROUP in self._waiting:
            return FIRST_GROUP
        # Few can be full, as each that is holds many workers: the search is short.
        return next((one for one in self._waiting if self._busy[one] < self._most_of_group), None)

    def _take(self, group: str) -> Taken:
        keys = self._waiting[group]
        key, since = keys.popitem(last=False)
        del self._groups[key]
        if keys:
            self._waiting.move_to_end(group)
        else:
            del self._waiting[group]
        self._taken[key] = _Held(group)
        self._busy[group] += 1
        if self._later and not self._timed:
            self._changed.notify()  # it was this one that looked at the clock
        return Taken(key, max(0.0, self._clock() - since))

    def _give_back(self, key: str, pause_s: float | None) -> None:
        held = self._taken.pop(key)
        self._busy[held.group] -= 1
        if not self._busy[held.group]:
            del self._busy[held.group]
        if held.group in self._waiting:
            self._changed.notify()  # what it held back may go on, in another's hands
        if pause_s is not None:
            self._postpone(key, self._clock() + pause_s)
        if held.again:
            self._add(key)

    def _postpone(self, key: str, due: float) -> None:
        self._due[key] = due
        sooner = not self._later or due < self._later[0][0]
        heapq.heappush(self._later, (due, key))
        if len(self._later) > 2 * len(self._due) + _STALE:
            self._later = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._later)
        if sooner:
            self._changed.notify_all()

    def _bring_due(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self._admit(key)
