"""Owns the reports of which snapshot is in use here: to the broker, soon after each change and now
and then.

Must not insist: what is not taken is told again later, and nothing waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar import __version__
from sidecar.snapshot_watch import fraction

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.inquiry import Told
    from sidecar.policy.verdict import Denial

    Report = Callable[[str, str, Callable[[Told | Denial], None]], None]

_SOONEST_S: Final = 0.5
_SPREAD_S: Final = 2.0
_AGAIN_S: Final = 300.0
_FIRST_RETRY_S: Final = 2.0
_TAKEN: Final = 204
_NEVER: Final = (400, 403, 404)  # telling it again soon will not help


class Reports:
    """Tells the broker by `report`; polled by the server's clock."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._revision = ""
        self._due_at = float("inf")
        self._retry_s = _FIRST_RETRY_S
        self._telling = ""

    def adopt(self, revision: str, now: float) -> None:
        """This one is in use from now on."""
        if revision != self._revision:
            self._revision = revision
            self._retry_s = _FIRST_RETRY_S
            self._due_at = now + _SOONEST_S + _SPREAD_S * fraction()

    def poll(self, now: float) -> None:
        """Tell it if it is time to."""
        if now < self._due_at or self._telling:
            return
        # Until the answer says otherwise: a failure.
        self._due_at = now + self._retry_s * (1 + 0.25 * fraction())
        self._retry_s = min(2 * self._retry_s, _AGAIN_S)
        self._telling = self._revision
        self._report(self._revision, __version__, lambda told: self._answered(told, now))

    def _answered(self, told: Told | Denial, now: float) -> None:
        telling, self._telling = self._telling, ""
        status = getattr(told, "status", 0)
        if telling == self._revision and (status == _TAKEN or status in _NEVER):
            self._retry_s = _FIRST_RETRY_S
            self._due_at = now + _AGAIN_S * (0.8 + 0.2 * fraction())
