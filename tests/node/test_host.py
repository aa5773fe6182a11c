"""What a machine lacks for a node is told by the names that would help."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.node import host


def make_commands(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)


def test_a_machine_with_nothing_lacks_every_package(tmp_path: Path) -> None:
    assert host.list_missing(str(tmp_path), tmp_path) == list(host.PACKAGES)


def test_a_machine_with_everything_lacks_none(tmp_path: Path) -> None:
    for sign in host.PACKAGES.values():
        file = tmp_path / sign.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        make_commands(file.parent, [file.name])
    assert host.list_missing(str(tmp_path), tmp_path) == []
    (tmp_path / "nft").unlink()
    assert host.list_missing(str(tmp_path), tmp_path) == ["nftables"]


def test_without_apt_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "SEARCH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(host.UnfitError, match=r"missing: .*runc.*no apt-get"):
        host.prepare_host()


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(host.UnfitError, match="needs Linux and root"):
        host.prepare_host()
