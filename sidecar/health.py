"""Owns what is known of one member's health: up or down, by its own checks and by what calls met.

A member that is down bars its calls (they fail at once) and is tried in the background until it
answers, so that no caller is the one who waits for it. Must not choose between members, and must
have no part in the sidecar's own readiness. Without a health check a member that is up is never
asked anything.
"""

from __future__ import annotations

import os
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from sidecar.inquiry import Inquiry, Told, question
from sidecar.log import log_event
from sidecar.policy.verdict import Denial

if TYPE_CHECKING:
    import asyncio

    from sidecar.member import Member
    from sidecar.policy.snapshot import HealthCheck
    from sidecar.upstream import Upstream

_FAILURES: Final = 3  # where no check says how many
_SLOW_S: Final = 1.0  # a failure that took so long is enough: the next caller would wait as well
_SOON_S: Final = 1.0
_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 5.0
_MAX_ANSWER: Final = 65536


class Health:
    """One member's health."""

    def __init__(self, member: Member, loop: asyncio.AbstractEventLoop) -> None:
        self.down = ""  # the reason; empty while it is up
        self._member = member
        self._check = member.cluster.health
        self._loop = loop
        self._last = "it could not be reached"  # the last failure's reason
        self._failures = 0
        self._misses = 0  # of the check
        self._retry_s = _FIRST_RETRY_S
        self._trial: Inquiry | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        if self._check is not None:
            self._schedule(_jitter(_SOON_S))

    def __repr__(self) -> str:
        return f"Health({self._member.name}, {self.down or 'up'})"

    def adopt(self, check: HealthCheck | None) -> None:
        """Check it so from now on."""
        if check == self._check:
            return
        self._check = check
        self._misses = 0
        if self._trial is not None:
            self._trial.cancel()
            self._trial = None
        if check is not None or self.down:
            self._schedule(_jitter(_SOON_S))
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- what calls met ---------------------------------------------------------------------------

    def reached(self) -> None:
        """A new connection was made."""
        self._failures = 0

    def failed(self, reason: str, since: float) -> None:
        """A connection could not be made, or an answer did not come; `since`: it was asked for."""
        self._failures += 1
        self._last = reason
        threshold = _FAILURES if self._check is None else self._check.failure_threshold
        if self._failures >= threshold or monotonic() - since >= _SLOW_S:
            self.trip()

    def trip(self) -> None:
        """It is down, from now until it has answered a trial."""
        if self.down or self._stopped:
            return
        self.down = self._last
        log_event("warning", "cluster_down", cluster=self._member.name, reason=self.down)
        self._member.bar(self.down)
        self._retry_s = _FIRST_RETRY_S
        self._schedule(_jitter(self._retry_s))

    # -- trials -----------------------------------------------------------------------------------

    def stop(self) -> None:
        """The member is replaced, or the process ends."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._trial is not None:
            self._trial.cancel()

    def _schedule(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._stopped else self._loop.call_later(seconds, self._try)

    def _try(self) -> None:
        check = self._check
        if check is None:
            self._member.open_spare(partial(self._opened))
            return
        trial = self._trial = Inquiry(
            self._loop, self._told, limit=_MAX_ANSWER, timeout_s=check.timeout_s
        )
        ident = os.urandom(16).hex().encode()
        trial.send_to(self._member, question(check.path), ident, trial=True)

    def _opened(self, opened: Upstream | str) -> None:
        """Of a member without a check: it takes connections, or does not."""
        if isinstance(opened, str):
            self._missed(opened)
        else:
            self._recover()

    def _told(self, told: Told | Denial) -> None:
        self._trial = None
        if isinstance(told, Denial):
            self._missed(told.message)
        elif told.status >= 500:
            path = self._check.path if self._check is not None else ""
            self._missed(f"its {path} answers {told.status}")
        else:
            self._recover()

    def _missed(self, reason: str) -> None:
        self._misses += 1
        self._last = reason
        check = self._check
        if self.down:
            self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)
        elif check is not None and self._misses >= check.failure_threshold:
            self.trip()
            return
        if check is not None:
            self._retry_s = min(self._retry_s, check.interval_s)
        self._schedule(_jitter(self._retry_s))

    def _recover(self) -> None:
        self._failures = self._misses = 0
        self._retry_s = _FIRST_RETRY_S
        if self._check is not None:
            self._schedule(_jitter(self._check.interval_s))
        if not self.down or self._stopped:
            return
        self.down = ""
        log_event("info", "cluster_up", cluster=self._member.name)
        self._member.bar("")


def _jitter(seconds: float) -> float:
    """Up to a fifth less: the pods of a node must not all ask at once."""
    return seconds * (0.8 + 0.2 * os.urandom(1)[0] / 255)
