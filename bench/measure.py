"""CPU time and memory of a process with all its children, as the kernel accounts for them.

Must not know what the process is.
"""

import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def list_tree(pid: int) -> Iterator[int]:
    """The process and its living descendants."""
    yield pid
    for children in sorted(PROC.glob(f"{pid}/task/*/children")):
        for child in children.read_text().split():
            yield from list_tree(int(child))


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far, of all threads, those that ended too.

    The process CPU clock is what /proc/<pid>/stat shows as utime + stime, in nanoseconds instead of
    ticks of 10 ms. Its number is fixed by the kernel's ABI (clock_getcpuclockid(3)).
    """
    return sum(time.clock_gettime(~process << 3 | 2) for process in list_tree(pid))


def rss_bytes(pid: int) -> int:
    """Resident memory of the tree."""
    return sum(_status_bytes(process, "VmRSS:") for process in list_tree(pid))


def peak_rss_bytes(pid: int) -> int:
    """The most resident memory since `reset_peak_rss`, summed over the tree."""
    return sum(_status_bytes(process, "VmHWM:") for process in list_tree(pid))


def reset_peak_rss(pid: int) -> None:
    """Let the peak begin anew at what is resident now."""
    for process in list_tree(pid):
        (PROC / str(process) / "clear_refs").write_text("5")


def _status_bytes(pid: int, field: str) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} shows no {field}")
