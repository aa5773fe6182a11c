import json
import os
import pty
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sidecar.secret import Secret
from webhook.cli.run.exec_plugin import (
    Issued,
    Plugin,
    PluginError,
    PluginRun,
    describe,
    parse_issued,
    parse_plugin,
)

V1 = "client.authentication.k8s.io/v1"
BETA = "client.authentication.k8s.io/v1beta1"
GOOD = {"apiVersion": V1, "command": "issue", "interactiveMode": "Never"}


def parse(raw: object, folder: str = "/f") -> Plugin:
    return parse_plugin(raw, folder, lambda: {"server": "https://a"})


def plugin(tmp_path: Path, script: str, **more: Any) -> Plugin:
    path = tmp_path / "issue"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return parse({**GOOD, "command": str(path), **more})


def issue(plugin: Plugin, *, terminal: bool = False, timeout_s: float | None = 20) -> Issued:
    return PluginRun(plugin, os.environ).issue(terminal=terminal, timeout_s=timeout_s)


def printed(status: object = None, **changes: Any) -> bytes:
    document = {"kind": "ExecCredential", "apiVersion": V1, "status": status, **changes}
    return json.dumps(document).encode()


def test_what_a_kubeconfig_says() -> None:
    found = parse(
        {
            **GOOD,
            "args": ["a", "b"],
            "env": [{"name": "A", "value": "s3cret"}, {"name": "B"}],
            "installHint": "get it",
            "provideClusterInfo": True,
        }
    )
    assert found == Plugin(
        V1,
        "issue",
        ("a", "b"),
        {"A": "s3cret", "B": ""},
        "get it",
        "Never",
        {"server": "https://a"},
    )
    assert "s3cret" not in repr(found)
    assert parse(GOOD).cluster is None


@pytest.mark.parametrize(
    ("command", "found"),
    [("issue", "issue"), ("./issue", "/f/issue"), ("bin/issue", "/f/bin/issue"), ("/i", "/i")],
)
def test_a_command_with_a_slash_starts_from_the_kubeconfigs_folder(
    command: str, found: str
) -> None:
    assert parse({**GOOD, "command": command}).command == found


def test_the_older_version_did_not_know_interactive_mode() -> None:
    raw = {"apiVersion": BETA, "command": "issue"}
    assert parse(raw).mode == "IfAvailable"
    assert parse({**raw, "interactiveMode": "Always"}).mode == "Always"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("issue", "must be a mapping"),
        ({}, "apiVersion must be .*, not None"),
        ({**GOOD, "apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ({**GOOD, "command": ""}, "command is not set"),
        ({**GOOD, "interactiveMode": None}, "interactiveMode must be"),
        ({**GOOD, "interactiveMode": "Maybe"}, "interactiveMode must be"),
        ({**GOOD, "args": "a"}, "args must be a list"),
        ({**GOOD, "args": [1]}, "args must be a list of strings"),
        ({**GOOD, "env": {"A": "B"}}, "env must be a list"),
        ({**GOOD, "env": [{"value": "B"}]}, "env: each must have a name"),
        ({**GOOD, "env": [{"name": "A", "value": 1}]}, "env: A: its value must be a string"),
    ],
)
def test_what_cannot_be_used(raw: object, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        parse(raw)


def test_what_a_plugin_is_told() -> None:
    assert json.loads(describe(parse(GOOD), interactive=False)) == {
        "kind": "ExecCredential",
        "apiVersion": V1,
        "spec": {"interactive": False},
    }
    told = json.loads(describe(parse({**GOOD, "provideClusterInfo": True}), interactive=True))
    assert told["spec"] == {"interactive": True, "cluster": {"server": "https://a"}}


def test_what_a_plugin_prints() -> None:
    assert parse_issued(parse(GOOD), printed({"token": "t"})) == Issued(
        Secret(b"t"), None, None, None
    )
    pair = {"clientCertificateData": "c", "clientKeyData": "k", "token": ""}
    found = parse_issued(
        parse(GOOD), printed({**pair, "expirationTimestamp": "2030-01-02T03:04:05Z"})
    )
    assert found == Issued(None, Secret(b"c"), Secret(b"k"), 1893553445.0)
    precise = {"token": "t", "expirationTimestamp": "2030-01-02T04:04:05.123456789+01:00"}
    assert parse_issued(parse(GOOD), printed(precise)).expires_at == pytest.approx(
        1893553445.12, abs=0.01
    )


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (b"", "no ExecCredential in JSON"),
        (b"s3cret", "no ExecCredential in JSON"),
        (b"[]", "no ExecCredential in JSON"),
        (b"[" * 100_000, "no ExecCredential in JSON"),
        (printed({"token": "s3cret"}, kind="Pod"), "no ExecCredential"),
        (printed({"token": "s3cret"}, apiVersion=BETA), "another apiVersion than .*/v1"),
        (printed(), "without a status"),
        (printed({}), "neither a token nor a certificate"),
        (printed({"token": ["s3cret"]}), "a token that is no string"),
        (printed({"clientKeyData": "s3cret"}), "only one of clientCertificateData"),
        (
            printed({"token": "s3cret", "clientKeyData": "k", "clientCertificateData": "c"}),
            "both a token and",
        ),
        (printed({"token": "s3cret", "expirationTimestamp": "soon"}), "that is no time"),
        (
            printed({"token": "s3cret", "expirationTimestamp": "2030-01-02T03:04:05"}),
            "without a time zone",
        ),
    ],
    ids=range(13),
)
def test_what_is_no_credential_is_not_quoted(output: bytes, said: str) -> None:
    with pytest.raises(PluginError, match=said) as failure:
        parse_issued(parse(GOOD), output)
    assert "s3cret" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_it_is_run_with_its_arguments_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN", "own")
    monkeypatch.setenv("BOTH", "own")
    script = (
        'echo "{\\"kind\\":\\"ExecCredential\\",\\"apiVersion\\":\\"'
        + V1
        + '\\",\\"status\\":{\\"token\\":\\"$1.$OWN.$BOTH.$(wc -c </dev/stdin)\\"}}"'
    )
    env = [{"name": "BOTH", "value": "theirs"}]
    assert issue(plugin(tmp_path, script, args=["x y"], env=env)).token == Secret(
        b"x y.own.theirs.0"
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo s3cret; exit 3", "issue ended with exit code 3"),
        ("kill -9 $$", "issue ended by signal 9"),
        ("head -c 2000000 /dev/zero", "printed more than"),
    ],
)
def test_a_plugin_that_fails(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(PluginError, match=said) as failure:
        issue(plugin(tmp_path, script))
    assert "s3cret" not in str(failure.value)


def test_a_plugin_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    hint = "brew install\x1b[31m issue\nor ask"
    with pytest.raises(PluginError) as failure:
        issue(parse({**GOOD, "command": "mca-no-such-plugin", "installHint": hint}))
    assert str(failure.value) == (
        "mca-no-such-plugin is not installed\nbrew install?[31m issue\nor ask"
    )
    (tmp_path / "issue").write_text("")
    with pytest.raises(PluginError, match="issue: is not executable"):
        issue(parse({**GOOD, "command": str(tmp_path / "issue")}))
    (tmp_path / "odd").write_bytes(b"\x7fELF")
    (tmp_path / "odd").chmod(0o755)
    with pytest.raises(PluginError, match="odd: cannot be run: "):
        issue(parse({**GOOD, "command": str(tmp_path / "odd")}))


def test_one_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    slow = plugin(tmp_path, f"sleep 60 & echo $! >{tmp_path}/pid; wait")
    began = time.monotonic()
    with pytest.raises(PluginError, match=r"issue did not end within 0\.5 s"):
        issue(slow, timeout_s=0.5)
    assert time.monotonic() - began < 5
    child = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{child}").exists() or _is_dead(child)


def test_another_thread_ends_it(tmp_path: Path) -> None:
    run = PluginRun(plugin(tmp_path, "sleep 60"), os.environ)
    threading.Timer(0.3, run.end).start()
    with pytest.raises(PluginError, match="ended by signal 9"):
        run.issue(terminal=False, timeout_s=None)
    run.end()
    with pytest.raises(PluginError, match="was not run"):
        run.issue(terminal=False, timeout_s=None)


def test_it_gets_the_terminal_only_when_it_may_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    kept = os.dup(0)
    os.dup2(theirs, 0)
    try:
        asks = 'read answer; echo "$KUBERNETES_EXEC_INFO $answer" >&2; exit 9'
        for mode, terminal, seen in (
            ("IfAvailable", True, "true yes"),
            ("Always", True, "true yes"),
            ("Never", True, "false "),
            ("IfAvailable", False, "false "),
        ):
            os.write(ours, b"yes\n")
            log = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            stderr = os.dup(2)
            os.dup2(log, 2)
            try:
                with pytest.raises(PluginError, match="exit code 9"):
                    issue(plugin(tmp_path, asks, interactiveMode=mode), terminal=terminal)
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
                os.close(log)
            told = (tmp_path / "log").read_text()
            interactive, answer = seen.split(" ")
            assert f'"interactive": {interactive}' in told
            assert told.rstrip("\n").endswith(f" {answer}")
            if not answer:
                os.read(0, 100)  # nobody took it
    finally:
        os.dup2(kept, 0)
        for fd in (ours, theirs, kept):
            os.close(fd)


def test_one_that_must_ask_is_refused_without_a_terminal(tmp_path: Path) -> None:
    asks = plugin(tmp_path, "exit 0", interactiveMode="Always")
    with pytest.raises(PluginError, match=r"interactiveMode: Always.*none free"):
        issue(asks, terminal=False)


def _is_dead(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
