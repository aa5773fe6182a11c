"""What runs in namespaces of its own ends with whoever entered them, and leaves nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.world import KERNEL_SETTINGS, PREFIX, find_cgroup, list_hierarchies, run_inside

ENTER = "from tests.node.world import run_inside; raise SystemExit(run_inside({}))"
MARK = "a-process-of-test-world"
# Loses its parent, as a container's shim does.
LINGER = f"import os, time; os.fork() and time.sleep(600); os.setsid(); time.sleep(600); '{MARK}'"


def enter(code: str) -> "subprocess.Popen[str]":
    script = ENTER.format(["-c", code])
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def count_marked() -> int:
    """Processes that run LINGER itself, not the ones that start it."""
    return sum(1 for words in list_commands() if words[1:3] == ["-c", LINGER])


def list_commands() -> Iterator[list[str]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_text().split("\0")
        except OSError:
            continue  # it ended meanwhile


def list_cgroups() -> set[str]:
    return {path.name for top in list_hierarchies() for path in top.glob(f"{PREFIX}*")}


def wait_for(count: int) -> None:
    deadline = time.monotonic() + 20
    while count_marked() != count:
        assert time.monotonic() < deadline, list(list_commands())
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_whoever_entered(number: signal.Signals) -> None:
    before = list_cgroups()
    command = enter(LINGER)
    wait_for(2)
    assert len(list_cgroups() - before) == 1
    command.send_signal(number)
    command.communicate(timeout=20)
    wait_for(0)
    assert run_inside(["-c", "raise SystemExit(7)"]) == 7  # removes what the killed one left
    assert list_cgroups() == before


def test_what_a_kubelet_would_set_is_set_inside_only() -> None:
    code = "print(*(open('/proc/sys/' + name).read().strip() for name in {}))"
    inside = enter(code.format(list(KERNEL_SETTINGS)))
    assert inside.communicate(timeout=20)[0].split() == list(KERNEL_SETTINGS.values())


def test_a_live_run_is_left_alone() -> None:
    assert run_inside(["-c", ""]) == 0
    assert all((top / find_cgroup()).is_dir() for top in list_hierarchies())
