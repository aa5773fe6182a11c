"""Owns which of two sources of the snapshot counts: its watch, or the mounted file. Pure.

Must not read either. The mount lags behind by a minute or more: while the watch works, and in the
first minutes after it broke, the file would turn time back. After that it is the only one that
learns anything, but only what the kubelet wrote since counts.
"""

from typing import Final

PATIENCE_S: Final = 120.0


class Precedence:
    """Told what becomes of the watch; says whether to look at the file."""

    def __init__(self) -> None:
        self._heard = False  # the watch has brought the object at least once
        self._broken_at: float | None = None
        self._broken_ns = 0

    def hear(self) -> None:
        """The watch has brought the object."""
        self._heard = True
        self._broken_at = None

    def stand(self) -> None:
        """The watch is there again."""
        self._broken_at = None

    def lose(self, now: float, now_ns: int) -> None:
        """The watch has ended, or could not be begun; `now_ns` is the clock that files have."""
        if self._broken_at is None:
            self._broken_at = now
            self._broken_ns = now_ns

    def file_counts(self, now: float) -> bool:
        """Is the file to be looked at?"""
        if not self._heard:
            return True
        return self._broken_at is not None and now - self._broken_at >= PATIENCE_S

    def is_news(self, written_ns: int) -> bool:
        """Can a file that was written then say more than the watch did?"""
        return not self._heard or written_ns > self._broken_ns
