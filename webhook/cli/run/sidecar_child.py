"""Owns the sidecar of a run: starting it on free ports, following its output, ending it.

Must not know what a run is for. The child dies with us, even when we are killed: the kernel
sends it SIGKILL when the thread that started it ends, so that must be the main thread.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import sidecar
from sidecar.config import EXIT_BIND
from sidecar.policy.snapshot import HOME
from webhook.cli.arguments import complain
from webhook.cli.run.child import start_thread
from webhook.cli.run.report import Event, Report

HOST = "127.0.0.1"
_READY_S = 30.0
_END_S = 5.0
_ATTEMPTS = 5
# Ties its life to ours, then becomes the sidecar. `-I` keeps the user's folder and PYTHONPATH out
# of a process that holds credentials; where the package lies, we know.
_LAUNCHER = """
import ctypes, os, sys
parent, root = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(parent):
    sys.exit(1)
sys.path.insert(0, root)
from sidecar.__main__ import main
sys.exit(main([]))
"""


class SidecarError(Exception):
    """The sidecar did not start; an empty text: it has said why itself."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class _Start:
    """What is known of a start under way."""

    settled: threading.Event = field(default_factory=threading.Event)
    ready: bool = False
    port_taken: bool = False
    problem: str = ""

    def hear(self, event: Event) -> bool:
        """One event of the sidecar's log; True: nobody else need be told of it."""
        name, cluster = event.get("event"), event.get("cluster")
        if name == "ready":
            self.ready = True
        elif name == "port_taken":
            self.port_taken = True
        elif name in ("credential_unusable", "ca_unusable") and cluster == HOME:
            self.problem = str(event.get("reason"))
        elif name == "started":
            self.problem = str(event.get("problem"))
        else:
            return False
        if not self.problem or name != "credential_unusable":
            self.settled.set()
        return True


class SidecarChild:
    """One sidecar process and what it prints."""

    def __init__(self, report: Report) -> None:
        self.port = 0
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._ending = False

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def start(self, env: Mapping[str, str]) -> None:
        """Start it with this environment on ports of its own; returns when it is ready."""
        for _ in range(_ATTEMPTS):
            self.port, admin_port = _choose_ports()
            start = _Start()
            self._report.listeners.append(start.hear)
            addresses = {
                "MCA_API_LISTEN": f"{HOST}:{self.port}",
                "MCA_ADMIN_LISTEN": f"{HOST}:{admin_port}",
            }
            self._spawn({**env, **addresses}, start)
            settled = start.settled.wait(_READY_S)
            self._report.listeners.remove(start.hear)
            if start.ready and not start.problem:
                return
            code = self.stop()
            if start.port_taken or code == EXIT_BIND:
                continue
            problem = start.problem or ("" if settled else "the sidecar did not get ready")
            raise SidecarError(problem, code if code > 0 else os.EX_USAGE)
        raise SidecarError("no free port was found for the sidecar", EXIT_BIND)

    def stop(self) -> int:
        """End it, after its last lines; its exit code."""
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return 0
        self._ending = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            # The first asks it to drain, the second not to wait for anything.
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            process.wait(_END_S)
        process.kill()
        code = process.wait()
        reader.join(_END_S)
        self._process = self._reader = None
        return code

    def _spawn(self, env: Mapping[str, str], start: _Start) -> None:
        root = os.path.dirname(os.path.dirname(os.path.abspath(sidecar.__file__)))
        self._ending = False
        self._process = process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-I", "-c", _LAUNCHER, str(os.getpid()), root],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=dict(env),
            cwd="/",
            process_group=0,  # what is typed at the terminal is for the command
        )
        self._reader = start_thread(lambda: self._follow(process, start), "sidecar-output")

    def _follow(self, process: subprocess.Popen[bytes], start: _Start) -> None:
        if process.stdout is not None:
            with process.stdout:
                self._report.take(process.stdout)
        code = process.wait()
        if start.settled.is_set() and not self._ending:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            complain(f"the sidecar ended {how}: no call can be made any more")
        start.settled.set()


def _choose_ports() -> tuple[int, int]:
    """Two ports that are free now; the sidecar says when one is taken after all."""
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]
