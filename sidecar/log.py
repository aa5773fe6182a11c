"""Owns standard output: one JSON object per line, whole lines, never a secret.

Must not raise, block on a slow reader, or grow without bound: a log that nobody reads must not
stop the traffic it tells about. What does not fit is dropped, counted, and reported in the next
line that gets through.
"""

import json
import os
import select
import stat
import time
from _thread import allocate_lock
from typing import Literal

from sidecar.secret import Secret

Level = Literal["debug", "info", "warning", "error"]

LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# POSIX keeps writes of at most PIPE_BUF bytes whole, and poll() promises room for one of them:
# larger ones could block on, or interleave in, a pipe.
_PIPE_PIECE = 4096
_FILE_PIECE = 1 << 20
_BACKLOG_BYTES = 1 << 20
_MAX_TEXT = 8192
_NEWLINE = 0x0A


class LineWriter:
    """Writes lines to a file descriptor without waiting for it; from any thread."""

    def __init__(self, fd: int, backlog_bytes: int = _BACKLOG_BYTES) -> None:
        self._fd = fd
        self._lock = allocate_lock()
        self._backlog_bytes = backlog_bytes
        self._pending = b""
        self._poll: select.poll | None = None
        self._piece = 0
        self._mid_line = False  # what was written last is the beginning of a line
        self._torn = False  # ... whose end is lost
        self._untold = 0
        self.dropped_lines = 0

    def write(self, lines: bytes) -> None:
        """Take lines, each with its newline; keep what the reader has no room for."""
        with self._lock:
            self._take(lines)

    def _take(self, lines: bytes) -> None:
        self._drain()
        if self._pending and len(self._pending) + len(lines) > self._backlog_bytes:
            self._drop(lines.count(b"\n"))
            return
        if self._untold and not self._pending:
            report = render_event("warning", "log_lines_dropped", {"count": self._untold})
            if self._put(report):
                self._drop(lines.count(b"\n"))
                return
            self._untold = 0
        self._drop(self._put(self._pending + lines))

    def flush(self) -> bool:
        """Write what is pending as far as there is room; True when nothing is left."""
        with self._lock:
            return self._drain()

    def _drain(self) -> bool:
        if self._pending:
            self._drop(self._put(self._pending))
        return not self._pending

    def _drop(self, lines: int) -> None:
        self._untold += lines
        self.dropped_lines += lines

    def _put(self, lines: bytes) -> int:
        """Write as far as there is room, the rest is pending; the number of lines lost."""
        self._pending = lines
        try:
            self._write_pending()
        except BlockingIOError:
            return 0
        except OSError:
            # The reader is gone or the disk is full: these lines are lost, the next may not be.
            lost, self._pending = self._pending, b""
            self._torn = self._mid_line
            return lost.count(b"\n")
        return 0

    def _write_pending(self) -> None:
        poll = self._poll or self._open()
        pending = memoryview(self._pending)
        done = 0
        try:
            # An error or a hang-up counts as room: the write then says what is wrong.
            while done < len(pending) and poll.poll(0):
                if self._torn:
                    os.write(self._fd, b"\n")
                    self._torn = self._mid_line = False
                    continue
                done += os.write(self._fd, pending[done : self._cut(done)])
                self._mid_line = pending[done - 1] != _NEWLINE
        finally:
            self._pending = bytes(pending[done:])

    def _open(self) -> select.poll:
        regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._piece = _FILE_PIECE if regular else _PIPE_PIECE
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        return self._poll

    def _cut(self, start: int) -> int:
        end = start + self._piece
        if end >= len(self._pending):
            return len(self._pending)
        newline = self._pending.rfind(b"\n", start, end)
        return end if newline < 0 else newline + 1


stdout = LineWriter(1)
_threshold = LEVELS["info"]


def claim_descriptors() -> None:
    """See that 0, 1 and 2 are open: else a socket would get such a number, and the log with it."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def set_level(level: Level) -> None:
    global _threshold  # noqa: PLW0603 - one process, one log
    _threshold = LEVELS[level]


def log_event(level: Level, event: str, **fields: object) -> None:
    """Write one line; `fields` may hold anything, a `Secret` is never shown."""
    if LEVELS[level] < _threshold:
        return
    stdout.write(render_event(level, event, fields))


def render_event(level: str, event: str, fields: dict[str, object]) -> bytes:
    now = time.time()
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    line: dict[str, object] = {
        "type": "log",
        "time": f"{second}.{int(now * 1000) % 1000:03}Z",
        "level": level,
        "event": event,
    }
    for name, value in fields.items():
        line[f"{name}_" if name in line else name] = _plain(value)
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Secret):
        return "hidden"
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, BaseException):
        text = f"{type(value).__name__}: {value}"
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
    else:
        text = str(value)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
