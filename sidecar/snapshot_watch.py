"""Owns following the snapshot's ConfigMap by the pod's own token: one long GET, begun again.

Must not judge a snapshot: what the object holds is handed on. No version is ever asked for, so that
each new watch begins with the object as it is: nothing is missed, nothing can be too old (410).
Every end is followed by a pause that grows and is never the same for two pods.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from sidecar.inquiry import Told, question
from sidecar.line_feed import LineFeed
from sidecar.log import log_event
from sidecar.policy.snapshot import MAX_EVENT_BYTES
from sidecar.policy.verdict import Denial
from sidecar.snapshot_events import Broken, Empty, Found, Gone, read_event
from sidecar.status import read_message

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sidecar.member import Member
    from sidecar.precedence import Precedence

_SHORTEST_S: Final = 300
_OVERDUE_S: Final = 30.0  # after the end that was asked for
_FIRST_PAUSE_S: Final = 1.0
_LAST_PAUSE_S: Final = 30.0
_BREATH_S: Final = 0.2  # where the API server ended it as it was asked to
_SOUND_S: Final = 10.0  # a watch that lasted so long was a good one


class SnapshotWatch:
    """The watch of one ConfigMap."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        namespace: str,
        name: str,
        precedence: Precedence,
        member: Callable[[], Member],
        next_ident: Callable[[], bytes],
    ) -> None:
        self.found: Callable[[bytes], None] = _nobody
        self.empty: Callable[[str], None] = _nobody
        self._loop = loop
        self._namespace = namespace
        self._name = name
        self._precedence = precedence
        self._member = member
        self._next_ident = next_ident
        self._feed: LineFeed | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._begun_at = 0.0
        self._told = ""
        self._stopped = False

    def start(self, delay_s: float) -> None:
        """Begin, after so long."""
        self._timer = self._loop.call_later(delay_s, self._begin)

    def stop(self) -> None:
        """The process ends."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._feed is not None:
            self._feed.cancel()

    def _begin(self) -> None:
        seconds = _SHORTEST_S + int(_SHORTEST_S * fraction())
        feed = self._feed = LineFeed(
            self._loop, self._stand, self._hear, self._end,
            limit=MAX_EVENT_BYTES, timeout_s=seconds + _OVERDUE_S,
        )  # fmt: skip
        self._begun_at = time.monotonic()
        asked = question(
            f"/api/v1/namespaces/{self._namespace}/configmaps?watch=true"
            f"&fieldSelector=metadata.name%3D{self._name}&timeoutSeconds={seconds}",
            b"Accept: application/json",
        )
        feed.send_to(self._member(), asked, self._next_ident())

    def _stand(self) -> None:
        self._precedence.stand(time.monotonic())

    def _take(self) -> None:
        self._precedence.hear()
        if self._told:
            self._told = ""
            log_event("info", "snapshot_watch_back", configmap=self._name)

    def _hear(self, line: bytes) -> None:
        event = read_event(line, self._namespace, self._name)
        if isinstance(event, Broken):
            if self._feed is not None:
                self._feed.cancel()
            self._lose(event.problem)
        elif isinstance(event, Found):
            self._take()
            self.found(event.content)
        elif isinstance(event, Empty):
            self._take()
            self.empty(event.problem)
        elif isinstance(event, Gone):
            log_event("warning", "snapshot_deleted", configmap=self._name)

    def _end(self, why: Told | Denial | None) -> None:
        if isinstance(why, Denial):
            self._lose(why.message)
        elif why is not None:
            self._lose(f"it answers {why.status}: {read_message(why.content)}")
        elif time.monotonic() - self._begun_at >= _SOUND_S:
            self._precedence.end(time.monotonic())
            self._pause_s = _FIRST_PAUSE_S
            self._again(_BREATH_S)
        else:
            self._lose("it ended at once")

    def _lose(self, problem: str) -> None:
        self._feed = None
        self._precedence.lose(time.monotonic(), time.time_ns())
        if problem != self._told:
            self._told = problem
            log_event("warning", "snapshot_watch_lost", configmap=self._name, reason=problem)
        if time.monotonic() - self._begun_at >= _SOUND_S:
            self._pause_s = _FIRST_PAUSE_S
        self._again(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LAST_PAUSE_S)

    def _again(self, most_s: float) -> None:
        if not self._stopped:
            self.start(most_s * (0.2 + 0.8 * fraction()))


def fraction() -> float:
    """From 0 to 1, another for each pod."""
    return int.from_bytes(os.urandom(2), "big") / 65535


def _nobody(told: object) -> None:
    """Nobody wants to be told."""
