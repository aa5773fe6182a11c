"""Owns noticing that a file changed, at the price of one stat.

Must not judge the content: whoever asked for it does, and keeps the last good one.
"""

import os
import stat

# Mounted Secrets and ConfigMaps change by swapping the `..data` link: the path then leads to
# another inode. Writers in place show by time or size; what shows by nothing is found this often.
_REREAD_S = 60.0

_Mark = tuple[int, int, int, int]


class WatchedFile:
    """One path, and what was last found there: `content`, or the reason why there is none."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self.mark: _Mark | None = None  # of the file as it was read; another file, another mark
        self._read_at = float("-inf")
        self.content: bytes | None = None
        self.problem = "it was not read yet"

    def poll(self, now: float, *, force: bool = False) -> bool:
        """Look again; True when `content` or `problem` is not what it was."""
        try:
            mark = self._stat()
        except OSError as error:
            return self._set(None, None, f"{self.path}: {error.strerror}")
        if mark == self.mark and not force and now - self._read_at < _REREAD_S:
            return False
        self._read_at = now
        try:
            return self._set(mark, *self._read())
        except OSError as error:
            return self._set(None, None, f"{self.path}: {error.strerror}")

    @property
    def written_ns(self) -> int:
        """When the file that was read was written."""
        return self.mark[2] if self.mark is not None else 0

    def _stat(self) -> _Mark:
        found = os.stat(self.path)
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)

    def _read(self) -> tuple[bytes | None, str]:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None, f"{self.path}: is not a file"
            content = b""
            while piece := os.read(fd, self._max_bytes + 1 - len(content)):
                content += piece
        finally:
            os.close(fd)
        if len(content) > self._max_bytes:
            return None, f"{self.path}: is larger than {self._max_bytes} bytes"
        return content, ""

    def _set(self, mark: _Mark | None, content: bytes | None, problem: str) -> bool:
        self.mark = mark
        changed = (content, problem) != (self.content, self.problem)
        self.content, self.problem = content, problem
        return changed
