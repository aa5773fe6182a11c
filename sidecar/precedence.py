"""Owns which of two sources of the snapshot counts: its watch, or the mounted file. Pure.

Must not read either. The mount lags behind by a minute or more: while the watch works, and in the
first minutes after it broke, the file would turn time back. After that it is the only one that
learns anything, but only what the kubelet wrote since counts. That a watch was begun is no sign
that it works: what it brings may be what cannot be read, each time anew.
"""

from typing import Final

PATIENCE_S: Final = 120.0
# A watch begins with the object, if there is one: if nothing broke for so long, there is none.
STEADY_S: Final = 60.0


class Precedence:
    """Told what becomes of the watch; says whether to look at the file."""

    def __init__(self) -> None:
        self._heard = False  # the watch has brought the object at least once
        self._standing_since: float | None = None
        self._broken_at: float | None = None
        self._broken_ns = 0

    def hear(self) -> None:
        """The watch has brought the object, and it could be read."""
        self._heard = True
        self._broken_at = None

    def stand(self, now: float) -> None:
        """The watch is there; nothing came by it yet."""
        self._standing_since = now

    def end(self, now: float) -> None:
        """The watch has ended as it was asked to."""
        if self._is_steady(now):
            self._broken_at = None
        self._standing_since = None

    def lose(self, now: float, now_ns: int) -> None:
        """The watch broke, or could not be begun; `now_ns` is the clock that files have."""
        self.end(now)
        if self._broken_at is None:
            self._broken_at = now
            self._broken_ns = now_ns

    def file_counts(self, now: float) -> bool:
        """Is the file to be looked at?"""
        if not self._heard:
            return True
        if self._broken_at is None or self._is_steady(now):
            return False
        return now - self._broken_at >= PATIENCE_S

    def is_news(self, written_ns: int) -> bool:
        """Can a file that was written then say more than the watch did?"""
        return not self._heard or written_ns > self._broken_ns

    def _is_steady(self, now: float) -> bool:
        return self._standing_since is not None and now - self._standing_since >= STEADY_S
