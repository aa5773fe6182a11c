"""Owns how often somebody may ask: so many at once, so many a second after that.

Must not know who asks, nor what for.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST: Final = 20_000


class Rates:
    """A bucket for each who asks. Who was not seen for longest is forgotten first."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._most = most
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> float:
        """0: go on; else in how many seconds the next may come."""
        now = self._clock()
        left, seen = self._left.pop(who, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._per_second)
        allowed = left >= 1
        self._left[who] = (left - 1 if allowed else left, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._per_second
