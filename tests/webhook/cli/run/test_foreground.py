"""What is typed at a terminal, with a shell's job control around `mca run`."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.cli.run.scene import MCA, Home, kubeconfig, wait_until

# A session of its own, with the terminal as its controlling one.
LAUNCHER = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
"""
COUNT = """
import signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append("int"))
signal.signal(signal.SIGCONT, lambda *_: got.append("cont"))
print("re" + "ady", flush=True)
until = time.monotonic() + 20
while time.monotonic() < until and "int" not in got:
    time.sleep(0.02)
time.sleep(0.3)
print("got", *got)
sys.exit(5)
"""


class Terminal:
    """An interactive bash at a terminal."""

    def __init__(self, home: Home) -> None:
        self._ours, theirs = pty.openpty()
        self._seen = ""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAUNCHER],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**home.env, "PS1": "$ ", "TERM": "dumb"},
            cwd=home.path,
        )
        os.close(theirs)

    @property
    def pid(self) -> int:
        return self._process.pid

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def see(self, pattern: str, timeout_s: float = 20.0) -> str:
        """Wait for a pattern after what was seen before; what matched."""
        deadline = time.monotonic() + timeout_s
        while (match := re.search(pattern, self._seen)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._seen!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self._seen += os.read(self._ours, 4096).decode(errors="replace")
        self._seen = self._seen[match.end() :]
        return match[0]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@pytest.fixture
def home(tmp_path: Path, control_plane: ControlPlane) -> Home:
    home = Home(tmp_path)
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    (tmp_path / "count.py").write_text(COUNT)
    return home


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    terminal = Terminal(home)
    terminal.see(r"\$ ")
    yield terminal
    terminal.close()


def test_ctrl_c_reaches_the_command_once_and_we_wait_for_it(home: Home, terminal: Terminal) -> None:
    terminal.type(f"{MCA} run -- {sys.executable} count.py\n")
    terminal.see("ready")
    terminal.type("\x03")
    terminal.see("got int\r\n")
    terminal.type("echo code $?\n")
    terminal.see("code 5")
    wait_until(lambda: home.left_behind(terminal.pid) == [], "the end of all", 5)


def test_ctrl_c_ends_a_command_that_does_not_mind_it(home: Home, terminal: Terminal) -> None:
    terminal.type(f"{MCA} run -- sh -c 'echo re''ady; exec sleep 20'\n")
    terminal.see("ready")
    terminal.type("\x03")
    terminal.type("echo code $?\n")
    terminal.see("code 130")
    wait_until(lambda: home.left_behind(terminal.pid) == [], "the end of all", 5)


def test_ctrl_z_stops_both_and_fg_wakes_both(home: Home, terminal: Terminal) -> None:
    terminal.type(f"{MCA} run -- {sys.executable} count.py\n")
    terminal.see("ready")
    for _ in range(2):
        terminal.type("\x1a")
        terminal.see("Stopped")
        terminal.type("fg\n")
        terminal.see("count.py\r\n")
        time.sleep(0.2)
    terminal.type("\x03")
    terminal.see("got cont cont int\r\n")
    wait_until(lambda: home.left_behind(terminal.pid) == [], "the end of all", 5)


def test_a_command_that_stops_itself_gives_the_terminal_back(
    home: Home, terminal: Terminal
) -> None:
    terminal.type(f"{MCA} run -- sh -c 'kill -STOP $$; echo on''wards; exit 4'\n")
    terminal.see("Stopped")
    terminal.type("fg\n")
    terminal.see("onwards")
    terminal.type("echo code $?\n")
    terminal.see("code 4")
    wait_until(lambda: home.left_behind(terminal.pid) == [], "the end of all", 5)


def test_the_command_reads_what_is_typed_and_a_pipe_works(home: Home, terminal: Terminal) -> None:
    terminal.type(f"{MCA} run -- sh -c 'read a; echo got $a' | tr a-z A-Z\n")
    time.sleep(0.5)
    terminal.type("hello\n")
    terminal.see("GOT HELLO")
    wait_until(lambda: home.left_behind(terminal.pid) == [], "the end of all", 5)


def test_hanging_up_ends_everything(home: Home, terminal: Terminal) -> None:
    terminal.type(f"{MCA} run -- sh -c 'echo re''ady; exec sleep 20'\n")
    terminal.see("ready")
    os.kill(terminal.pid, signal.SIGHUP)
    wait_until(lambda: home.left_behind() == [], "the end of all", 10)
