"""Owns how faults are told, a library's or our own: as events like all others, without traceback.

Must not tell what was sent: only which kind of fault, and where from.
"""

import logging
import os
import time
import traceback
from collections.abc import Callable
from typing import Final

from sidecar.log import log_event

# Anybody who reaches the port can make a fault: how many is said with the next one that is told.
_PAUSE_S: Final = 1.0


class Faults(logging.Handler):
    """For the root of all loggers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._quiet_until = float("-inf")
        self._untold = 0

    def emit(self, record: logging.LogRecord) -> None:
        """One event, or one more that is only counted."""
        now = self._clock()
        if now < self._quiet_until:
            self._untold += 1
            return
        error = record.exc_info[0] if record.exc_info else None
        log_event(
            "error" if record.levelno >= logging.ERROR else "warning",
            "library_fault",
            library=record.name,
            at=f"{record.module}:{record.lineno}",
            error=None if error is None else error.__name__,
            untold=self._untold,
        )
        self._quiet_until, self._untold = now + _PAUSE_S, 0


def locate_fault(error: Exception) -> str:
    """What kind of bug it is and where; its text may quote what it was about."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {os.path.basename(frame.filename)}:{frame.lineno}"
