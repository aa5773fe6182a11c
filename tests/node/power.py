"""What a power cut takes from a node: its processes, and all that was in memory.

Owns which of a node's state is on its "disk". Must run inside tests.node.world, where no other
process and no other mount is to be seen.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.node.host import SEARCH
from tests.node.world import find_cgroup, list_hierarchies

SHIM = "containerd-shim-runc-v2"
# /run is memory on every system; of the disk only what volumes in memory had mounted there.
IN_MEMORY = ("/run/containerd", "/run/netns", "/run/runc", "/var/lib/kubelet/pods")
EMPTIED = ("/run/containerd", "/run/netns", "/run/runc")
END_TIMEOUT_S = 20.0


def clear_what_ran() -> None:
    """Kubelet and containerd have ended already; nothing of the pods is left on return."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while running := [*_list_contained(), *_list_shims()]:
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {running} do not end")
        time.sleep(0.05)
    for target in _list_mounts():
        subprocess.run(["umount", "--lazy", target], check=True, env={"PATH": SEARCH})
    subprocess.run(["nft", "flush", "ruleset"], check=True, env={"PATH": SEARCH})
    for folder in EMPTIED:
        shutil.rmtree(folder, ignore_errors=True)
    for hierarchy in list_hierarchies():
        for below, _, _ in os.walk(hierarchy / find_cgroup(), topdown=False):
            if Path(below) != hierarchy / find_cgroup():
                with suppress(OSError):  # a process that ended just now may still be counted
                    Path(below).rmdir()


def _list_contained() -> Iterator[int]:
    for hierarchy in list_hierarchies():
        for path in (hierarchy / find_cgroup()).rglob("cgroup.procs"):
            with suppress(OSError):
                yield from filter(None, map(int, path.read_text().split()))


def _list_shims() -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/exe"):
        with suppress(OSError):
            if path.readlink().name == SHIM:
                yield int(path.parent.name)


def _list_mounts() -> list[str]:
    """The innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [
        target
        for target in reversed(targets)
        if any(target.startswith(f"{folder}/") for folder in IN_MEMORY)
    ]
