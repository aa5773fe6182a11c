"""Runs a program as in a pod: a service account folder at its fixed path, and little else.

Owns the mount namespace of its own that each program gets, so that neither the machine's root nor
another test sees the folder, and the program no folder of the machine's. Must not know what the
program does: it prints JSON lines, and may ask for something to be done between two of them.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
RawStep = dict[str, Any]
# Argument 1 is the folder to see there, 2 our process id, the rest the program. `/var/run` becomes
# an empty file system of its own first: what the machine keeps there is hidden. Without root's
# rights a user namespace of its own gives them.
LAUNCHER = f"""
import ctypes, os, sys
PATH = "{SERVICE_ACCOUNT}"
NEWNS, NEWUSER = 0x20000, 0x10000000
RDONLY, REMOUNT, BIND, REC, PRIVATE = 1, 32, 4096, 16384, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)
def check(result, what):
    if result:
        why = os.strerror(ctypes.get_errno())
        sys.exit(f"cannot give a program a pod's files: {{what}}: {{why}}; run as root,"
                 " or allow user namespaces (sysctl kernel.unprivileged_userns_clone)")
def mount(source, target, kind, flags):
    check(libc.mount(source.encode(), target.encode(), kind, flags, None), f"mount {{target}}")
uid, gid = os.geteuid(), os.getegid()
if uid or libc.unshare(NEWNS):
    check(libc.unshare(NEWNS | NEWUSER), "unshare")
    maps = dict(setgroups="deny", uid_map=f"0 {{uid}} 1", gid_map=f"0 {{gid}} 1")
    for name, text in maps.items():
        with open(f"/proc/self/{{name}}", "w") as file:
            file.write(text)
mount("none", "/", None, REC | PRIVATE)
mount("tmpfs", os.path.realpath("/var/run"), b"tmpfs", 0)
os.makedirs(PATH)
mount(sys.argv[1], PATH, None, BIND)
mount("none", PATH, None, BIND | REMOUNT | RDONLY)
libc.prctl(1, 9)
if os.getppid() != int(sys.argv[2]):
    sys.exit(1)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Pod:
    """Where programs run: which API they are told of, and which files they find."""

    def __init__(self, folder: Path, port: int, home: Path) -> None:
        self.folder = folder
        self.port = port
        self._home = home

    def start(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        """Start a program, with pipes."""
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._home),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self.port),
        }
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER]
        return subprocess.Popen(
            [*launcher, str(self.folder), str(os.getpid()), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self._home,
            process_group=0,
        )

    def tell(
        self,
        command: Sequence[str],
        answer: Callable[[str], None] | None = None,
        *,
        timeout_s: float = 120.0,
    ) -> list[RawStep]:
        """Run a program to its end and return the steps that it told; what it asks is answered."""
        process = self.start(command)
        stuck = threading.Timer(timeout_s, _end, [process])
        stuck.start()
        said: list[str] = []
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        listener = threading.Thread(target=said.extend, args=[process.stderr])
        listener.start()
        steps: list[RawStep] = []
        try:
            for line in process.stdout:
                step = json.loads(line)
                if "ask" not in step:
                    steps.append(step)
                    continue
                assert answer is not None, f"nobody answers {step}"
                answer(step["ask"])
                process.stdin.write("done\n")
                process.stdin.flush()
            code = process.wait()
        finally:
            stuck.cancel()
            _end(process)
            listener.join()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()
        last = steps[-1]["step"] if steps else "nothing"
        name = Path(command[0]).name
        assert code == 0, f"{name} ended with {code} after {last}:\n{''.join(said[-40:])}"
        return steps

    def run(
        self, command: Sequence[str], *, text: str | None = None, timeout_s: float = 60.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end and return what it printed."""
        process = self.start(command)
        try:
            out, errors = process.communicate(text, timeout=timeout_s)
        finally:
            _end(process)
        return subprocess.CompletedProcess(list(command), process.returncode, out, errors)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
