import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from webhook.cli.run.folder import SHOWN, RunFolder

ROOT = Path(__file__).resolve().parents[4]


def make(place: Path) -> RunFolder:
    return RunFolder({"XDG_RUNTIME_DIR": str(place)})


def test_it_is_private_and_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = make(tmp_path)
    path = folder.write("a/b", b"one")
    assert folder.write("a/b", b"two") == path
    assert Path(path).read_bytes() == b"two"
    assert [oct(os.stat(p).st_mode)[-3:] for p in (folder.path, f"{folder.path}/a", path)] == [
        "700",
        "700",
        "600",
    ]
    assert os.listdir(f"{folder.path}/a") == ["b"]
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["", "relative", "/no/such/place"])
def test_memory_comes_before_a_disk(place: str) -> None:
    folder = RunFolder({"XDG_RUNTIME_DIR": place})
    try:
        assert folder.path.startswith("/dev/shm/mca-run-")
    finally:
        folder.remove()


def test_no_place_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: path == str(tmp_path))
    monkeypatch.setattr(tempfile, "mkdtemp", _fail)
    with pytest.raises(OSError, match=f"no folder can be made in {tmp_path}"):
        make(tmp_path)


def _fail(**_options: str) -> str:
    raise PermissionError


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from webhook.cli.run.folder import RunFolder\n"
        f"folder = RunFolder({{'XDG_RUNTIME_DIR': {str(tmp_path)!r}}})\n"
        "folder.write('token', b'secret')\n"
        f"RunFolder({{'XDG_RUNTIME_DIR': {str(tmp_path)!r}}}, {SHOWN!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    dead, shown = sorted(tmp_path.iterdir(), reverse=True)
    assert (dead / "token").exists()
    assert shown.name.startswith(SHOWN)
    (tmp_path / "mca-run-file").write_text("not a folder")
    (tmp_path / "else").mkdir()
    living = make(tmp_path)
    try:
        assert not dead.exists()
        assert not shown.exists()
        another = make(tmp_path)
        another.remove()
        assert Path(living.path).is_dir()
    finally:
        living.remove()
    assert {path.name for path in tmp_path.iterdir()} == {"mca-run-file", "else"}
