"""Owns the folders of one run: in memory where there is such a place, gone at the end.

Must not know what is put there. There are two of a run, each with a random name of its own: the
private one holds credentials and the identity's key, the other what the command is to find, so that
the path of one, or a mount of it into a container, does not lead to the other. A run that was
killed leaves its folders behind; the lock on a folder tells the next run that nobody lives in it
any more. (A process id in its name would not: another container may share the place, and the same
ids mean other processes there.)
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress

PRIVATE = "mca-run-"
SHOWN = "mca-app-"


class RunFolder:
    """Ours alone, and locked as long as we live."""

    def __init__(self, env: Mapping[str, str], prefix: str = PRIVATE) -> None:
        places = list(_find_places(env))
        for place in places:
            _remove_dead(place)
        self.path, self._lock = _make(places, prefix)

    def remove(self) -> None:
        """Remove it with all that is in it; a second call does nothing."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def write(self, name: str, content: bytes) -> str:
        """Put a file there, whole or not at all; its path."""
        path = os.path.join(self.path, name)
        draft = f"{path}.draft"
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        os.rename(draft, path)
        return path


def _find_places(env: Mapping[str, str]) -> Iterator[str]:
    """Memory first, so that no secret reaches a disk."""
    for place in (env.get("XDG_RUNTIME_DIR", ""), "/dev/shm", tempfile.gettempdir()):  # noqa: S108
        if place.startswith("/") and os.access(place, os.W_OK | os.X_OK):
            yield place


def _make(places: list[str], prefix: str) -> tuple[str, int]:
    for place in places:
        try:
            path = tempfile.mkdtemp(prefix=prefix, dir=place)
        except OSError:
            continue
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Another run may have taken it for dead before it was locked.
            os.stat(path)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
        else:
            return path, lock
    raise OSError(f"no folder can be made in {' or '.join(places) or 'any temporary place'}")


def _remove_dead(place: str) -> None:
    with os.scandir(place) as entries:
        names = [entry.name for entry in entries if entry.name.startswith((PRIVATE, SHOWN))]
    for name in names:
        path = os.path.join(place, name)
        # Another user's cannot be opened, a living one's lock cannot be had.
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.geteuid():
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
