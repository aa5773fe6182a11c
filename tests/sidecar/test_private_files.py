import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar import private_files as files


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = files.open_folder(str(tmp_path / "ours"), 0o700)
    yield fd
    os.close(fd)


@pytest.fixture(params=[0o000, 0o077, 0o777])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("wanted", [0o700, 0o755])
def test_folders_and_files_have_their_modes_whatever_the_umask(tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "a" / "b" / "c"
    fd = files.open_folder(str(path), wanted)
    sub = files.open_subfolder(fd, "d", wanted)
    files.write_file(sub, "f", b"x", 0o444)
    assert [mode(path), mode(path / "d"), mode(path / "d" / "f")] == [wanted, wanted, 0o444]
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o755, 0o755]
    os.close(sub)
    os.close(fd)


def test_a_folder_of_ours_gets_its_mode_back(tmp_path: Path) -> None:
    path = tmp_path / "ours"
    path.mkdir(0o777)
    os.close(files.open_folder(str(path), 0o700))
    assert mode(path) == 0o700


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        files.open_folder(str(tmp_path / "file"), 0o700)
    with pytest.raises(NotADirectoryError):
        files.open_folder(str(tmp_path / "file" / "x"), 0o700)


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs"
    path.mkdir(0o777)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PermissionError, match=r"theirs belongs to uid \d+, not to this process's"):
        files.open_folder(str(path), 0o700)


def test_a_folder_of_root_is_a_mounted_volume_and_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    before = os.stat("/")
    os.close(files.open_folder("/", 0o700))
    assert os.stat("/").st_mode == before.st_mode


def test_files_are_read_back_only_as_they_were_written(folder: int, tmp_path: Path) -> None:
    files.write_file(folder, "f", b"content", 0o600)
    path = tmp_path / "ours" / "f"
    assert files.read_file(folder, "f", 0o600, 7) == b"content"
    assert files.read_file(folder, "f", 0o600, 6) is None
    assert files.read_file(folder, "f", 0o444, 7) is None
    path.chmod(0o644)
    assert files.read_file(folder, "f", 0o600, 7) is None
    path.chmod(0o600)
    os.link(path, tmp_path / "link")
    assert files.read_file(folder, "f", 0o600, 7) is None


def test_what_is_no_file_of_ours_is_not_read(folder: int, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "ours" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "ours" / "pipe", 0o600)
    (tmp_path / "ours" / "folder").mkdir(0o600)
    for name in ("link", "pipe", "folder", "nothing"):
        assert files.read_file(folder, name, 0o600, 100) is None


def test_a_planted_link_is_replaced_and_its_target_left(folder: int, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    (tmp_path / "ours" / "f").symlink_to(target)
    files.write_file(folder, "f", b"ours", 0o600)
    assert target.read_bytes() == b"untouched"
    assert not (tmp_path / "ours" / "f").is_symlink()
    assert files.read_file(folder, "f", 0o600, 10) == b"ours"


def test_a_draft_whose_name_was_guessed_is_not_written_through(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / "ours" / ".draft-f-000000000000").symlink_to(target)
    with pytest.raises(FileExistsError):
        files.write_file(folder, "f", b"ours", 0o600)
    assert target.read_bytes() == b"untouched"


def test_a_file_of_another_user_is_not_read(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_file(folder, "f", b"theirs", 0o600)
    if os.geteuid() == 0:
        os.chown(tmp_path / "ours" / "f", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert files.read_file(folder, "f", 0o600, 10) is None


def test_a_planted_link_is_no_subfolder(folder: int, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "ours" / "app").symlink_to(elsewhere)
    (tmp_path / "ours" / "file").write_bytes(b"x")
    for name in ("app", "file"):
        sub = files.open_subfolder(folder, name, 0o755)
        files.write_file(sub, "token", b"t", 0o444)
        os.close(sub)
        assert (tmp_path / "ours" / name / "token").read_bytes() == b"t"
        assert not (tmp_path / "ours" / name).is_symlink()
    assert list(elsewhere.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(folder: int, tmp_path: Path) -> None:
    files.write_file(folder, "f", b"old", 0o600)
    (tmp_path / "ours" / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_file(folder, "taken", b"new", 0o600)
    assert sorted(os.listdir(folder)) == ["f", "taken"]


def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    code = (
        "import os, resource, sys\n"
        "from sidecar import private_files as files\n"
        "folder = files.open_folder(sys.argv[1], 0o700)\n"
        "files.write_file(folder, 'f', b'old', 0o600)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.write_file(folder, 'f', b'x' * 2000, 0o600)\n"
        "except OSError as error: print(error.strerror)\n"
    )
    path = tmp_path / "ours"
    # Without coverage, whose own file would not fit either.
    env = {name: value for name, value in os.environ.items() if "COV" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, check=True, env=env
    )
    assert done.stdout == b"File too large\n"
    assert os.listdir(path) == ["f"]
    assert (path / "f").read_bytes() == b"old"


def test_drafts_of_a_killed_write_are_removed_and_nothing_else(folder: int, tmp_path: Path) -> None:
    files.write_file(folder, "f", b"x", 0o600)
    (tmp_path / "ours" / ".draft-f-0123").write_bytes(b"half")
    (tmp_path / "ours" / ".other").write_bytes(b"")
    files.remove_drafts(folder)
    assert sorted(os.listdir(folder)) == [".other", "f"]
