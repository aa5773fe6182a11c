"""Owns the command of a run: in the terminal's foreground, until it ends, whatever the signals.

Must not know what the command is. It shares our process group, so that pipes and job control work
as if it had been started alone: what is typed at the terminal (Ctrl-C, Ctrl-\\, Ctrl-Z) reaches it
from the kernel, and we only wait.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

_RELAYED = frozenset(
    (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
)
# Twice is not the same as once: many programs take a second one for "at once, unfinished".
_TYPED = frozenset((signal.SIGINT, signal.SIGQUIT))
_SI_KERNEL = 0x80
_SIGNAL_BASE = 128
_SETTLE_S = 0.02


@contextmanager
def signals_held() -> Iterator[frozenset[signal.Signals]]:
    """Hold the signals that `wait_for` deals with; not those that we were started to ignore."""
    ignored = {number for number in _RELAYED if signal.getsignal(number) is signal.SIG_IGN}
    waited = frozenset({*_RELAYED, signal.SIGCHLD} - ignored)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        yield waited
    finally:
        # What came after the command's end is for nobody.
        while signal.sigtimedwait(waited, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait_for(pid: int, waited: frozenset[signal.Signals]) -> int:
    """Wait for the command's end; its exit code, as a shell counts."""
    while True:
        # A signal may have come before it was held: look before each wait.
        code = _look(pid)
        if code is not None:
            return code
        told = signal.sigwaitinfo(waited)
        if told.si_signo != signal.SIGCHLD and _is_for_command(told):
            os.kill(pid, told.si_signo)


def _look(pid: int) -> int | None:
    """The exit code if it has ended; if it has stopped, so do we, as a shell expects."""
    options = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
    state = os.waitid(os.P_PID, pid, options)
    if state is None:
        return None
    if state.si_code == os.CLD_STOPPED:
        # Ctrl-Z stops both of us, and `fg` wakes both: then it may still seem to be stopped.
        time.sleep(_SETTLE_S)
        if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG) is not None:
            os.kill(os.getpid(), signal.SIGSTOP)
        return None
    os.waitpid(pid, 0)
    if state.si_code == os.CLD_EXITED:
        return state.si_status
    return _SIGNAL_BASE + state.si_status


def _is_for_command(told: signal.struct_siginfo) -> bool:
    """Whether it was sent to us alone: the terminal's have reached the command already."""
    if told.si_code == _SI_KERNEL:
        return False
    if told.si_signo not in _TYPED:
        return True
    try:
        # A sender in our group (`timeout -s INT`) sends to the whole group.
        return os.getpgid(told.si_pid) != os.getpgrp()
    except OSError:
        return True
