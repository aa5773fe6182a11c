"""Owns how often members are visited for a Tenant that is as it was when they were visited last.

Anybody who labels an object with its name wakes it. Must not know what a visit does.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from webhook.controller.tenants.steps import Problem

RETURN_S: Final = 10.0


class _Visit(NamedTuple):
    stated: Hashable
    when: float
    found: list[Problem]


@dataclass(slots=True)
class Visits:
    """Of all Tenants, by uid; one Tenant is in one thread's hands at a time."""

    clock: Callable[[], float] = time.monotonic
    _last: dict[str, _Visit] = field(default_factory=dict)

    def attend(
        self, uid: str, stated: Hashable, work: Callable[[], list[Problem]]
    ) -> tuple[list[Problem], float | None]:
        """What is wrong; and, where that is of the last visit, after how long there is another."""
        last, now = self._last.get(uid), self.clock()
        if last is not None and last.stated == stated and now < last.when + RETURN_S:
            return last.found, last.when + RETURN_S - now
        found = work()
        self._last[uid] = _Visit(stated, self.clock(), found)
        return found, None

    def forget(self, uid: str) -> None:
        """A Tenant that is gone."""
        self._last.pop(uid, None)

    def begin_term(self) -> None:
        """Others have worked meanwhile."""
        self._last.clear()
