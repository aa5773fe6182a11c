import errno
import json
import os
import time
from pathlib import Path

import pytest

from sidecar.secret import Secret
from tests.webhook.cli.run.scene import PLUGIN, credential, wait_until
from webhook.cli.run import renewal
from webhook.cli.run.exec_plugin import Issued, parse_plugin
from webhook.cli.run.renewal import Renewal


class Scene:
    """A plugin whose answer can be changed, and what was put."""

    def __init__(self, path: Path, first: Issued) -> None:
        self.path = path
        self.put: list[Issued] = []
        plugin = path / "issue"
        plugin.write_text(PLUGIN)
        plugin.chmod(0o755)
        stanza = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
        self.renewal = Renewal(
            parse_plugin(stanza, "/", dict), first, os.environ, self.put.append, "context 'c'"
        )

    def answer(self, text: str) -> None:
        (self.path / "draft").write_text(text)
        (self.path / "draft").rename(self.path / "answer")

    @property
    def asked(self) -> int:
        path = self.path / "asked"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def tokens(self) -> list[bytes]:
        return [issued.token.reveal() for issued in self.put if issued.token]


def token(name: str, *, lasts_s: float | None = None) -> Issued:
    expires_at = None if lasts_s is None else time.time() + lasts_s
    return Issued(Secret(name.encode()), None, None, expires_at)


def answer(name: str, *, lasts_s: float | None = None) -> str:
    return json.dumps(credential(token=name, lasts_s=lasts_s))


def test_it_is_renewed_before_it_expires(tmp_path: Path) -> None:
    scene = Scene(tmp_path, token("one", lasts_s=3))
    scene.answer(answer("two", lasts_s=3600))
    began = time.monotonic()
    scene.renewal.start()
    try:
        wait_until(lambda: scene.put, "a newer one")
        # At four fifths of its life.
        assert 2.0 < time.monotonic() - began < 3.0
        time.sleep(0.5)
        assert (scene.tokens(), scene.asked) == ([b"two"], 1)
    finally:
        scene.renewal.end()


def test_a_refused_one_is_renewed_at_once_and_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, token("one"))
    scene.answer(answer("two"))
    scene.renewal.start()
    try:
        time.sleep(0.3)
        assert scene.asked == 0
        for _ in range(5):
            scene.renewal.note_refusal()
        wait_until(lambda: scene.put, "a newer one", 2)
        scene.answer(answer("three"))
        scene.renewal.note_refusal()
        # Not twice within a second.
        time.sleep(0.3)
        assert scene.tokens() == [b"two"]
        wait_until(lambda: len(scene.put) > 1, "the next", 3)
        assert (scene.tokens(), scene.asked) == ([b"two", b"three"], 2)
    finally:
        scene.renewal.end()


def test_a_plugin_that_has_nothing_new_is_asked_less_and_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_LEAST_PAUSE_S", 0.5)
    scene = Scene(tmp_path, token("one"))
    scene.answer(answer("one"))
    scene.renewal.start()
    try:
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            scene.renewal.note_refusal()
            time.sleep(0.05)
        # At 0 s and 1 s; the next would be at 3 s.
        assert scene.asked == 2
    finally:
        scene.renewal.end()


def test_a_failure_is_told_once_and_the_old_one_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_LEAST_PAUSE_S", 0.2)
    scene = Scene(tmp_path, token("one"))
    scene.answer("s3cret")
    scene.renewal.start()
    try:
        scene.renewal.note_refusal()
        wait_until(lambda: scene.asked == 1, "the first try")
        scene.renewal.note_refusal()
        wait_until(lambda: len(scene.put) == 2, "the second try")
        scene.answer(answer("two"))
        scene.renewal.note_refusal()
        wait_until(lambda: len(scene.put) == 3, "a newer one")
    finally:
        scene.renewal.end()
    # The same again tells whoever waits that nothing newer comes.
    assert scene.tokens() == [b"one", b"one", b"two"]
    told = capsys.readouterr().err
    assert told == (
        f"mca: context 'c': no newer credential: {tmp_path}/issue printed no ExecCredential"
        " in JSON\n"
    )


def test_a_place_that_is_full_for_a_while(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_LEAST_PAUSE_S", 0.2)
    scene = Scene(tmp_path, token("one"))
    scene.answer(answer("two"))
    refused: list[Issued] = []

    def refuse(issued: Issued) -> None:
        refused.append(issued)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(scene.renewal, "_put", refuse)
        scene.renewal.start()
        scene.renewal.note_refusal()
        wait_until(lambda: len(refused) == 2, "the newer one, and the old one again")
    try:
        scene.renewal.note_refusal()
        wait_until(lambda: scene.put, "a newer one", 3)
        assert scene.tokens() == [b"two"]
    finally:
        scene.renewal.end()
    assert "No space left on device" in capsys.readouterr().err


def test_a_change_of_kind_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path, Issued(None, Secret(b"c"), Secret(b"k"), None))
    scene.answer(answer("two"))
    scene.renewal.start()
    scene.renewal.note_refusal()
    wait_until(lambda: scene.asked, "a try")
    time.sleep(0.3)
    scene.renewal.end()
    assert scene.tokens() == []
    assert "changed between a token and a certificate" in capsys.readouterr().err


def test_one_that_nobody_uses_is_left_to_expire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_IDLE_S", 0.5)
    monkeypatch.setattr(renewal, "_LOOK_S", 0.2)
    scene = Scene(tmp_path, token("one", lasts_s=1.5))
    scene.answer(answer("two"))
    scene.renewal.start()
    try:
        time.sleep(2)
        assert scene.asked == 0
        scene.renewal.note_use()
        wait_until(lambda: scene.put, "a newer one")
    finally:
        scene.renewal.end()


def test_the_end_does_not_wait_for_a_plugin(tmp_path: Path) -> None:
    scene = Scene(tmp_path, token("one"))
    (tmp_path / "issue").write_text(f"#!/bin/sh\necho >>{tmp_path}/asked\nexec sleep 60\n")
    scene.renewal.start()
    scene.renewal.note_refusal()
    wait_until(lambda: scene.asked, "a try")
    began = time.monotonic()
    scene.renewal.end()
    assert time.monotonic() - began < 2
