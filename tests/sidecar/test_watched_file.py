import os
import socket
from pathlib import Path

import pytest

from sidecar.watched_file import WatchedFile


def swap(folder: Path, content: bytes, name: str = "token") -> None:
    """What the kubelet does: a new folder, then `..data` led there by one rename."""
    version = folder / f"..{os.urandom(4).hex()}"
    version.mkdir()
    (version / name).write_bytes(content)
    (folder / "..tmp").symlink_to(version.name)
    (folder / "..tmp").rename(folder / "..data")
    if not (folder / name).is_symlink():
        (folder / name).symlink_to(f"..data/{name}")


def test_a_swapped_link_is_noticed(tmp_path: Path) -> None:
    swap(tmp_path, b"one")
    file = WatchedFile(str(tmp_path / "token"), 100)
    assert file.poll(0)
    assert file.content == b"one"
    assert not file.poll(1)
    swap(tmp_path, b"two")
    assert file.poll(2)
    assert file.content == b"two"
    swap(tmp_path, b"two")
    assert not file.poll(3)


def test_a_swap_within_the_grain_of_the_clock_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    swap(tmp_path, b"one")
    os.utime(path, ns=(1, 1))
    file = WatchedFile(str(path), 100)
    assert file.poll(0)
    swap(tmp_path, b"two")
    os.utime(path, ns=(1, 1))
    assert file.poll(1)
    assert file.content == b"two"


def test_a_file_that_did_not_change_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    file = WatchedFile(str(path), 100)
    assert file.poll(0)
    before = os.stat(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not file.poll(59.9)
    assert file.poll(60)
    assert file.content == b"two"


def test_force_reads_what_nothing_shows(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    file = WatchedFile(str(path), 100)
    assert file.poll(0)
    before = os.stat(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.poll(0.1, force=True)
    assert file.content == b"two"


def found(file: WatchedFile) -> tuple[bytes | None, str]:
    return file.content, file.problem


def test_a_file_that_goes_and_comes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    file = WatchedFile(str(path), 100)
    assert file.poll(0)
    assert found(file) == (None, f"{path}: No such file or directory")
    assert not file.poll(1)
    path.write_bytes(b"x")
    assert file.poll(2)
    assert found(file) == (b"x", "")
    path.unlink()
    assert file.poll(3)
    assert found(file) == (None, f"{path}: No such file or directory")


def test_what_is_no_file_never_blocks(tmp_path: Path) -> None:
    path = tmp_path / "f"
    os.mkfifo(path)
    file = WatchedFile(str(path), 100)
    file.poll(0)
    assert file.problem == f"{path}: is not a file"
    path.unlink()
    path.mkdir()
    file.poll(1)
    assert file.problem == f"{path}: is not a file"


@pytest.mark.parametrize(("size", "fits"), [(0, True), (100, True), (101, False), (10**6, False)])
def test_the_size_is_bounded(tmp_path: Path, size: int, fits: bool) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * size)
    file = WatchedFile(str(path), 100)
    assert file.poll(0)
    assert file.content == (b"x" * size if fits else None)
    assert file.problem == ("" if fits else f"{path}: is larger than 100 bytes")


def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "loop"
    path.symlink_to(path)
    file = WatchedFile(str(path), 100)
    file.poll(0)
    assert "Too many levels of symbolic links" in file.problem


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    # Of a socket there is a stat, but nobody can open it, root neither.
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    file = WatchedFile(path, 100)
    file.poll(0)
    assert (file.content, file.problem) == (None, f"{path}: No such device or address")
