"""Starts the servers of a control plane so that none outlives the process that wanted it.

Owns one child's life: its log file, its end, and what to show when it ends by itself. Must not know
what the child is.

A child dies with us even when we are killed: it asks the kernel for that (PR_SET_PDEATHSIG). The
kernel sends the signal when the *thread* that forked ends, so all children are forked by one thread
that lasts as long as the process.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

LOG_TAIL_BYTES = 3000
# Becomes the server after tying its life to ours; ends at once if we died before it could.
LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

_Work = tuple[Callable[[], "subprocess.Popen[bytes]"], "Future[subprocess.Popen[bytes]]"]
_orders: "queue.SimpleQueue[_Work]" = queue.SimpleQueue()
_thread_lock = threading.Lock()
_thread: threading.Thread | None = None


class ServerProcess:
    """One running server; its output is in `log`."""

    def __init__(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *command]

        def start() -> subprocess.Popen[bytes]:
            with log.open("ab") as output:
                return subprocess.Popen(
                    launcher,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment or {}),
                    process_group=0,  # a Ctrl-C at the terminal is ours to handle, in our order
                )

        self._process = _fork(start)

    @property
    def pid(self) -> int:
        """The server's process id: the launcher turned into it."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it and all of its group now, as by `kill -9`; nothing of it is left on return."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self, timeout_s: float) -> None:
        """Ask it to end, and end it when it has not in time."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def describe_end(self) -> str:
        """Its exit code and the last of its log, for the message of whoever waited for it."""
        tail = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return f"{self.name} ended with code {self._process.poll()}; the end of its log:\n{tail}"


def _fork(start: "Callable[[], subprocess.Popen[bytes]]") -> "subprocess.Popen[bytes]":
    global _thread  # noqa: PLW0603 - one for the process, by design
    with _thread_lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_serve_orders, name="controlplane-fork", daemon=True)
            _thread.start()
    done: Future[subprocess.Popen[bytes]] = Future()
    _orders.put((start, done))
    return done.result()


def _serve_orders() -> None:
    while True:
        start, done = _orders.get()
        try:
            done.set_result(start())
        except OSError as error:
            done.set_exception(error)
