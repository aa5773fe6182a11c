"""Owns the reports of which snapshot is in use here: to the broker, soon after each change and now
and then.

Must not insist: what is not taken is told again later, and nothing waits for it. The broker says
how often it wants to hear, by how many it hears.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar import __version__
from sidecar.snapshot_watch import fraction

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.inquiry import Told
    from sidecar.policy.verdict import Denial

    Report = Callable[[str, str, Callable[[Told | Denial], None]], None]

_SOONEST_S: Final = 0.5
_FIRST_RETRY_S: Final = 2.0
_TAKEN: Final = 200
_NEVER: Final = (400, 403, 404)  # telling it again soon will not help


class Pace(NamedTuple):
    """When to report again, and within which time after a change."""

    again_s: float = 300.0
    spread_s: float = 2.0


# Whatever the broker says: a load for nobody, nor never.
_LEAST: Final = Pace(60.0, 1.0)
_MOST: Final = Pace(7200.0, 900.0)


def read_pace(content: bytes) -> Pace:
    """What the broker wants; as it was from the start where it does not say."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    found = told if isinstance(told, dict) else {}
    wanted = zip(("againSeconds", "spreadSeconds"), Pace(), _LEAST, _MOST, strict=True)
    return Pace(
        *(
            max(least, min(most, value if type(value := found.get(name)) is int else usual))
            for name, usual, least, most in wanted
        )
    )


class Reports:
    """Tells the broker by `report`; polled by the server's clock."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._revision = ""
        self._due_at = float("inf")
        self._retry_s = _FIRST_RETRY_S
        self._telling = ""
        self._pace = Pace()

    def adopt(self, revision: str, now: float) -> None:
        """This one is in use from now on."""
        if revision != self._revision:
            self._revision = revision
            self._retry_s = _FIRST_RETRY_S
            self._due_at = now + _SOONEST_S + self._pace.spread_s * fraction()

    def poll(self, now: float) -> None:
        """Tell it if it is time to."""
        if now < self._due_at or self._telling:
            return
        # Until the answer says otherwise: a failure.
        self._due_at = now + self._retry_s * (1 + 0.25 * fraction())
        self._retry_s = min(2 * self._retry_s, self._pace.again_s)
        self._telling = self._revision
        self._report(self._revision, __version__, lambda told: self._answered(told, now))

    def _answered(self, told: Told | Denial, now: float) -> None:
        telling, self._telling = self._telling, ""
        status = getattr(told, "status", 0)
        if status == _TAKEN:
            self._pace = read_pace(getattr(told, "content", b""))
        if telling == self._revision and (status == _TAKEN or status in _NEVER):
            self._retry_s = _FIRST_RETRY_S
            self._due_at = now + self._pace.again_s * (0.8 + 0.2 * fraction())
