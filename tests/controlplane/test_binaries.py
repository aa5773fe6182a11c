"""What comes first, what is near enough, and what is said when there is nothing."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import BinaryMissingError, __main__ as command, binaries

RECIPE = binaries.RECIPES["etcd"]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing installed, nothing cached."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    binaries.find_binary.cache_clear()
    yield
    binaries.find_binary.cache_clear()


def install(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def install_etcd(folder: Path, version: str) -> Path:
    return install(folder, "etcd", f'echo "etcd Version: {version}"')


def install_go(folder: Path) -> None:
    """Writes the file that -o names: it stands in for the compiler, which is not what we test."""
    script = 'while [ "$1" != -o ]; do shift; done; echo built >>"$0.log"; /bin/mkdir -p "${2%/*}"'
    install(folder, "go", f'{script}; echo made > "$2"')


def test_assets_come_first_then_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = install_etcd(tmp_path / "path", "3.6.1")
    assert binaries.find_binary("etcd") == on_path
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    binaries.find_binary.cache_clear()
    assert binaries.find_binary("etcd") == on_path
    in_assets = install_etcd(tmp_path / "assets", "3.6.99")
    binaries.find_binary.cache_clear()
    assert binaries.find_binary("etcd") == in_assets


@pytest.mark.parametrize("script", ["echo etcd Version: 3.5.9", "exit 1", "echo v1.36.3"])
def test_another_version_is_passed_over_and_ours_is_built(tmp_path: Path, script: str) -> None:
    install(tmp_path / "path", "etcd", script)
    install_go(tmp_path / "path")
    found = binaries.find_binary("etcd")
    assert found.read_text() == "made\n"
    assert found.is_relative_to(tmp_path / "cache" / "mca")
    assert f"etcd-{binaries.ETCD_VERSION}-" in found.parent.name


def test_built_once(tmp_path: Path) -> None:
    install_go(tmp_path / "path")
    found = binaries.find_binary("etcd")
    binaries.find_binary.cache_clear()
    assert binaries.find_binary("etcd") == found
    assert (tmp_path / "path" / "go.log").read_text() == "built\n"
    assert not list((tmp_path / "cache").rglob(".build-*"))


def test_two_builders_build_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install_go(tmp_path / "path")
    target = binaries._cache_folder() / binaries._cache_key(RECIPE) / "etcd"
    target.parent.mkdir(parents=True)
    lock = target.parent.with_name(f"{target.parent.name}.lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=binaries.find_binary, args=("etcd",))
        second.start()
        while "waiting" not in capfd.readouterr().err:
            assert second.is_alive()
        target.write_text("made by the first\n")
    second.join()
    assert target.read_text() == "made by the first\n"
    assert not (tmp_path / "path" / "go.log").exists()


def test_a_failed_build_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    install(tmp_path / "path", "go", "echo 'no such module' >&2; exit 3")
    with pytest.raises(BinaryMissingError, match="`go build` ended with code 3"):
        binaries.find_binary("etcd")
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.suffix != ".lock"]
    assert sorted(left) == ["controlplane", "mca"]


def test_those_of_charts_are_built_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_go(tmp_path / "path")
    named = {}
    for arguments in (["binaries"], ["binaries", "--charts"]):
        monkeypatch.setattr(sys, "argv", ["controlplane", *arguments])
        assert command.main() == 0
        named[len(arguments)] = {Path(line).name for line in capsys.readouterr().out.split()}
    assert named[1] == binaries.RECIPES.keys()
    assert named[2] - named[1] == binaries.CHART_RECIPES.keys() == {"helm", "kubeconform"}


def test_no_go_is_one_clear_sentence(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from tests.controlplane import binaries, __main__ as command\n"
        "binaries.shutil.which = lambda name, path=None: None\n"
        "sys.argv[1:] = ['binaries']\n"
        "raise SystemExit(command.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=binaries.HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "install Go 1.26 or newer" in done.stderr
    assert str(tmp_path) not in done.stderr


def test_the_modules_are_pinned_as_the_recipes_say() -> None:
    kubernetes = (binaries.HERE / "kubernetes" / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{binaries.KUBERNETES_VERSION} " in kubernetes
    staging = binaries.KUBERNETES_VERSION.replace("1.", "0.", 1)
    assert kubernetes.count(f" v{staging}\n") >= 33
    etcd = (binaries.HERE / "etcd" / "go.mod").read_text()
    assert f"go.etcd.io/etcd/server/v3 v{binaries.ETCD_VERSION}" in etcd
