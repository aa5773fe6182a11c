"""Owns the view of what is left: memory of the cgroup, descriptors of the process.

Must not shed by itself: it tells when to, early enough that the kernel need not.
"""

import contextlib
import os
import resource

_SHED_AT = 0.80  # of the memory limit: new calls are refused
_CLOSE_AT = 0.90  # new connections are closed at once
_RESERVED_FDS = 32
_MOST_FDS = 65536


class Pressure:
    """Memory and descriptors, against their limits."""

    def __init__(self, max_connections: int) -> None:
        self._memory_files = _find_memory_files()
        self.memory_limit = _read_limit(self._memory_files)
        self._fds = _raise_descriptor_limit()
        self.max_connections = max_connections or max(64, (self._fds - _RESERVED_FDS) // 2)
        self.memory = 0.0

    def measure(self) -> float:
        """The share of the memory limit in use; 0 without a limit."""
        if self.memory_limit:
            self.memory = _working_set(self._memory_files) / self.memory_limit
        return self.memory

    def shedding(self, connections: int) -> bool:
        """New calls are to be refused."""
        return self.memory >= _SHED_AT or connections > 0.9 * self.max_connections

    def full(self, connections: int) -> bool:
        """New connections are to be closed."""
        return self.memory >= _CLOSE_AT or connections >= self.max_connections


def resident_bytes() -> int:
    """What this process has in memory."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def trim_memory() -> None:
    """Give freed memory back to the kernel; loads ctypes, so only after many closed."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _find_memory_files() -> tuple[str, str, str] | None:
    """Limit, usage and statistics of our cgroup: version 2 or 1, as a pod sees them."""
    with contextlib.suppress(OSError), open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.strip().split(":", 2)
            two = not controllers
            if not two and "memory" not in controllers.split(","):
                continue
            top = "/sys/fs/cgroup" if two else "/sys/fs/cgroup/memory"
            names = ("memory.max", "memory.current") if two else _VERSION_1
            for folder in (top + path.rstrip("/"), top):
                files = tuple(f"{folder}/{name}" for name in (*names, "memory.stat"))
                if all(os.access(name, os.R_OK) for name in files):
                    return files[0], files[1], files[2]
    return None


_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _read_limit(files: tuple[str, str, str] | None) -> int:
    if files is None:
        return 0
    with contextlib.suppress(OSError, ValueError), open(files[0]) as file:
        limit = int(file.read())
        return limit if limit < 1 << 60 else 0
    return 0


def _working_set(files: tuple[str, str, str] | None) -> int:
    """What the kernel cannot simply take back: usage less file pages that are not in use."""
    if files is None:
        return 0
    try:
        with open(files[1]) as file:
            used = int(file.read())
        with open(files[2]) as file:
            for line in file:
                name, _, value = line.partition(" ")
                if name in ("inactive_file", "total_inactive_file"):
                    used -= int(value)
    except (OSError, ValueError):
        return resident_bytes()
    return max(used, 0)


def _raise_descriptor_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FDS if hard == resource.RLIM_INFINITY else min(hard, _MOST_FDS)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return min(soft, _MOST_FDS) if soft > 0 else wanted
