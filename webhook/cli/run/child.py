"""Owns starting other programs and threads: where a command is found, what a child inherits.

Must not wait for a child, nor know what it does. Everything goes by posix_spawn, because a signal
mask set for our own threads must not reach a child, and a fork beside threads is no safe place
to undo it.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
# Python ignores these for itself; no other program expects them ignored.
_OURS_TO_IGNORE = (signal.SIGPIPE, signal.SIGXFSZ)


class CommandError(Exception):
    """A command that cannot be run, with the exit code that a shell would give."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def find_command(name: str, search: str) -> str:
    """The file to run, as a shell finds it."""
    if "/" in name:
        candidates = [name]
    else:
        candidates = [os.path.join(folder or ".", name) for folder in search.split(os.pathsep)]
    there = [path for path in candidates if name and os.path.exists(path)]
    for path in there:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    if not there:
        raise CommandError(f"{name}: not found", EXIT_NOT_FOUND)
    why = "is a directory" if os.path.isdir(there[0]) else "is not executable"
    raise CommandError(f"{there[0]}: {why}", EXIT_NOT_EXECUTABLE)


def start(
    path: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: int = 0,
    stdout: int = 1,
    own_group: bool,
) -> int:
    """Start a program with these descriptors for its input and output; its process id."""
    actions = [
        (os.POSIX_SPAWN_DUP2, given, wanted)
        for given, wanted in ((stdin, 0), (stdout, 1))
        if given != wanted
    ]
    # Python has no value of setpgroup that means "leave it".
    spawn = partial(os.posix_spawn, setpgroup=0) if own_group else os.posix_spawn
    try:
        return spawn(
            path,
            list(arguments),
            env,
            file_actions=actions,
            setsigmask=(),
            setsigdef=_OURS_TO_IGNORE,
        )
    except OSError as error:
        # The file is there: its interpreter is not, or it is no program for this machine.
        reason = error.strerror
        raise CommandError(f"{path}: cannot be run: {reason}", EXIT_NOT_EXECUTABLE) from None


def start_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread that no signal is ever delivered to: they are the main thread's."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread
