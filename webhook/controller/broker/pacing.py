"""Owns how often sidecars are asked to report, and how soon after a change, so that all together
are no load.

Pure. Must not know who reports: each is asked for the same.
"""

from math import ceil
from typing import Final, NamedTuple

# Of all replicas together. A report is a connection with its handshake, 1.5 ms of the CPU time of
# whoever takes it, and 3 where its token has to be reviewed at home.
_REPORTS_PER_S: Final = 25.0
# A release, or another CA, concerns all sidecars at once: then so many a second say so.
_CHANGES_PER_S: Final = 200.0
_AGAIN_S: Final = (300, 3600)
_SPREAD_S: Final = (2, 600)
# They come up to a fifth sooner than they are asked to: two may be lost.
_COUNTS: Final = 2.6


class Pace(NamedTuple):
    """When a sidecar reports again, and within which time after its snapshot has changed."""

    again_s: int
    spread_s: int

    @property
    def counts_s(self) -> float:
        """How long what it said counts."""
        return _COUNTS * self.again_s


def choose_pace(sidecars: int) -> Pace:
    """By how many are heard of. Of two replicas each hears of most within the time that counts."""
    return Pace(
        _bound(sidecars / _REPORTS_PER_S, _AGAIN_S), _bound(sidecars / _CHANGES_PER_S, _SPREAD_S)
    )


def _bound(seconds: float, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(bounds[1], ceil(seconds)))
