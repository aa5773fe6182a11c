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


def open_folder(path: str, mode: int) -> int:
    """Open a folder for use with the functions below, made with `mode` where it is missing.

    One that belongs to root is taken as it is: it is a mounted volume, whose mode only root can
    set, and root could do as it likes anyway. Another user's is refused.
    """
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(path, mode)
    folder = os.open(path, _FOLDER)
    try:
        _own(folder, path, mode)
    except BaseException:
        os.close(folder)
        raise
    return folder


def open_subfolder(parent: int, name: str, mode: int) -> int:
    """The same for a folder in one that others may write to; what is no folder is removed."""
    for _ in range(2):
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=parent)
        try:
            folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
            break
        except NotADirectoryError:
            # A link or a file planted where ours belongs. ELOOP cannot come: O_DIRECTORY wins.
            os.unlink(name, dir_fd=parent)
    else:
        raise NotADirectoryError(f"{name} is not a folder")
    try:
        _own(folder, name, mode)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _own(folder: int, path: str, mode: int) -> None:
    found = os.fstat(folder)
    if found.st_uid == os.geteuid():
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(folder, mode)
    elif found.st_uid != 0:
        raise PermissionError(
            f"{path} belongs to uid {found.st_uid}, not to this process's {os.geteuid()}"
        )


def read_file(folder: int, name: str, mode: int, max_bytes: int) -> bytes | None:
    """A file's content if it is one that `write_file` made with this mode, else None."""
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if (
            not stat.S_ISREG(found.st_mode)
            or found.st_uid != os.geteuid()
            or stat.S_IMODE(found.st_mode) != mode
            or found.st_nlink != 1
            or found.st_size > max_bytes
        ):
            return None
        return os.read(fd, max_bytes)
    except OSError:
        return None
    finally:
        os.close(fd)


def write_file(folder: int, name: str, content: bytes, mode: int) -> None:
    """Put a file there whole or not at all, whatever stood under its name before."""
    draft = f".{name}.{os.urandom(6).hex()}"
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
