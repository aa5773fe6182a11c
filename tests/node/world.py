"""Namespaces of our own (network, mounts, processes) that a node lives and dies in.

Owns entering them, what is mounted there, the first process, and what the kernel does not take back
by itself: the cgroups. Must not know what runs inside.

The state of a node is on tmpfs at its usual places (/run, /var/lib, /var/log), the kernel settings
that a kubelet would change are covered by files of ours: nothing of the machine is touched. When
the first process ends, for whatever reason, the kernel kills everything inside and the mounts and
interfaces go with it. It dies with the command that entered, kill -9 included.
"""

import fcntl
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

VARIABLE = "MCA_NODE_CGROUP"
CGROUPS = Path("/sys/fs/cgroup")
PREFIX = "mca-node-"
ENTER = (
    "setpriv", "--pdeathsig", "KILL",
    "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
    "--propagation", "private",
)  # fmt: skip
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FRESH = ("/run", "/var/lib", "/var/log")
# What a kubelet sets where it differs; these are not of a namespace, but of the machine.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def is_inside() -> bool:
    """Whether this process runs in such namespaces."""
    return VARIABLE in os.environ


def find_cgroup() -> str:
    """The cgroup for the pods, below the root of each hierarchy."""
    return os.environ[VARIABLE]


def run_inside(arguments: Sequence[str]) -> int:
    """Run `python ARGUMENTS` inside; its exit code. Everything is gone on return."""
    _remove_dead_cgroups()
    name = f"{PREFIX}{secrets.token_hex(4)}"
    lock = _make_cgroups(name)
    inside = subprocess.Popen(
        [*ENTER, sys.executable, "-m", "tests.node.world", *arguments],
        env=os.environ | {VARIABLE: name},
        process_group=0,
    )

    def forward(number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.killpg(inside.pid, number)

    before = {number: signal.signal(number, forward) for number in ENDING}
    try:
        return inside.wait()
    finally:
        _remove_cgroups(name)
        os.close(lock)
        for number, handler in before.items():
            signal.signal(number, handler)


def list_hierarchies() -> list[Path]:
    """Where a cgroup is made: one folder with version 2, one per controller with version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in sorted(CGROUPS.iterdir()) if (path / "cgroup.procs").exists()]


def _make_cgroups(name: str) -> int:
    """One in each hierarchy; the first is locked as long as we live and the descriptor is open."""
    folders = [hierarchy / name for hierarchy in list_hierarchies()]
    for folder in folders:
        folder.mkdir()
    lock = os.open(folders[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _remove_dead_cgroups() -> None:
    """What runs left that were killed: nobody holds their locks."""
    for path in list_hierarchies()[0].glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove_cgroups(path.name)
            finally:
                os.close(lock)


def _remove_cgroups(name: str) -> None:
    for hierarchy in list_hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _prepare_mounts() -> None:
    for target in FRESH:
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", target)
    settings = Path("/run/kernel-settings")
    settings.mkdir()
    for name, text in KERNEL_SETTINGS.items():
        file = settings / name.replace("/", "-")
        file.write_text(f"{text}\n")
        _run("mount", "--bind", str(file), f"/proc/sys/{name}")
    _run("ip", "link", "set", "lo", "up")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _be_first_process(arguments: Sequence[str]) -> int:
    """Start the command, and reap whatever loses its parent, until the command ends."""
    _prepare_mounts()
    # The command gets these too, being of our group; the first process must outlast it.
    for number in ENDING:
        signal.signal(number, lambda _number, _frame: None)
    command = subprocess.Popen([sys.executable, *arguments])
    while True:
        pid, status = os.wait()
        if pid == command.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    raise SystemExit(_be_first_process(sys.argv[1:]))
