"""Owns for how long a member is left alone that does not answer, so that it holds up nobody else.

While it rests one visit at a time tries it again, after pauses that grow. Must not call anybody.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from webhook.answers import TOO_LONG, TOO_MANY
from webhook.kube import NOT_LEADING, KubeError

# What all calls of one visit may take together.
VISIT_S: Final = 20.0
# 5,000 objects are 2 to 5 MB; several visits are under way at once, and keep a page of it each.
VISIT_BYTES: Final = 16 << 20
# More than what there is to do takes a member that answers.
SLOW_S: Final = 10.0
FIRST_S: Final = 30.0
LONGEST_S: Final = 300.0
# Reasons that are no silence: others' objects there are too much, or it is we who must not go on.
_ANSWERED: Final = (TOO_LONG, TOO_MANY, NOT_LEADING)


@dataclass(slots=True)
class _Rest:
    """`until` by the monotonic clock."""

    until: float
    pause: float


@dataclass(slots=True)
class Rests:
    """Of all members; calls may come from several threads."""

    clock: Callable[[], float] = time.monotonic
    _rests: dict[str, _Rest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, name: str, failure: str) -> None:
        """Whether it may be visited; KubeError: not now. `failure` is what others know of it."""
        if failure:
            raise KubeError(0, "Resting", f"it does not answer: {failure}")
        with self._lock:
            rest = self._rests.get(name)
            if rest is None:
                return
            now = self.clock()
            if now < rest.until:
                raise KubeError(0, "Resting", "it did not answer a moment ago")
            rest.until = now + VISIT_S  # this one tries it, the others wait for what comes of it

    @contextmanager
    def watch(self, name: str) -> Iterator[None]:
        """One visit: one that is not answered, or takes long, is followed by a rest."""
        began = self.clock()
        try:
            yield
        except KubeError as error:
            quick = self.clock() - began <= SLOW_S
            if error.status or (quick and error.reason in _ANSWERED):
                self._end(name)
            else:
                self._fail(name)
            raise
        if self.clock() - began > SLOW_S:
            self._fail(name)
        else:
            self._end(name)

    def begin_term(self) -> None:
        """Others have worked meanwhile."""
        with self._lock:
            self._rests.clear()

    def forget(self, name: str) -> None:
        """Of a member that is none any more."""
        self._end(name)

    def _fail(self, name: str) -> None:
        with self._lock:
            rest, now = self._rests.get(name), self.clock()
            if rest is None:
                self._rests[name] = _Rest(now + FIRST_S, FIRST_S)
            elif rest.until <= now + VISIT_S:  # else another visit has failed meanwhile
                rest.pause = min(LONGEST_S, rest.pause * 2)
                rest.until = now + rest.pause

    def _end(self, name: str) -> None:
        with self._lock:
            self._rests.pop(name, None)
