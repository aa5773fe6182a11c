"""Owns reading and writing small files in folders that others may reach.

Must not follow a symbolic link, trust the umask, or leave a half-written file under its final
name. Everything goes by the folder's descriptor, so that nobody can swap a folder in between.
"""

import os
import stat
from contextlib import suppress

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DRAFT = ".draft-"


def open_folder(path: str, mode: int) -> int:
    """Open a folder for use with the functions below, made with `mode` where it is missing.

    One that belongs to root is taken as it is: it is a mounted volume, whose mode only root can
    set, and root could do as it likes anyway. Another user's is refused.
    """
    _make_folders(path, mode)
    return _own(os.open(path, _FOLDER), path, mode)


def open_subfolder(parent: int, name: str, mode: int) -> int:
    """The same for a folder in one that others may write to: what is no folder is removed."""
    with suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
    try:
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except NotADirectoryError:
        # A link or a file, planted where ours belongs.
        os.unlink(name, dir_fd=parent)
        os.mkdir(name, mode, dir_fd=parent)
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    return _own(folder, name, mode)


def read_file(folder: int, name: str, mode: int, max_bytes: int) -> bytes | None:
    """A file's content if it is one that `write_file` made with this mode, else None."""
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        ours = (
            stat.S_ISREG(found.st_mode)
            and stat.S_IMODE(found.st_mode) == mode
            and found.st_uid == os.geteuid()
            and found.st_nlink == 1
            and found.st_size <= max_bytes
        )
        return os.read(fd, max_bytes) if ours else None
    finally:
        os.close(fd)


def write_file(folder: int, name: str, content: bytes, mode: int) -> None:
    """Put a file there whole or not at all, whatever stood under its name before."""
    draft = f"{_DRAFT}{name}-{os.urandom(6).hex()}"
    fd = os.open(draft, _CREATE, 0o600, dir_fd=folder)
    try:
        try:
            os.fchmod(fd, mode)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(draft, dir_fd=folder)
        raise


def remove_drafts(folder: int) -> None:
    """Remove what a `write_file` that was killed has left."""
    for name in os.listdir(folder):
        if name.startswith(_DRAFT):
            os.unlink(name, dir_fd=folder)


def _make_folders(path: str, mode: int) -> None:
    """Like os.makedirs, but its modes do not hang on the umask: others must get through."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folders(os.path.dirname(path), 0o755)
        os.mkdir(path, mode)
    os.chmod(path, mode)


def _own(folder: int, path: str, mode: int) -> int:
    found = os.fstat(folder)
    if found.st_uid not in (0, os.geteuid()):
        os.close(folder)
        reason = f"{path} belongs to uid {found.st_uid}, not to this process's {os.geteuid()}"
        raise PermissionError(reason)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(folder, mode)
    return folder
