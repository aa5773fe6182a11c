"""The private folder of one control plane. Owns its life, and removes what killed runs left."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "mca-controlplane-"


class PrivateFolder:
    """Ours alone, and locked as long as we live: a later run can tell a dead one."""

    def __init__(self) -> None:
        remove_dead()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Once is enough; a second call does nothing."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def remove_dead() -> None:
    """Remove the folders of runs that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Between another run's mkdtemp and its flock the folder is empty: leave it be.
                if any(path.iterdir()):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
