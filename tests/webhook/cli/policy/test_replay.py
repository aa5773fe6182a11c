import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.webhook.cli.policy.scene import USUAL, document, write
from webhook.cli.policy import main

Raw = dict[str, Any]


def line(verb: str, resource: str = "", /, **fields: Any) -> str:
    usual: Raw = {"type": "audit", "v": 1, "id": f"{verb}-{resource}", "caller": "app"}
    usual |= {"namespace": "team-a", "verb": verb, "version": "v1", "resource": resource}
    usual |= {"objectNamespace": "team-a", "decision": "permit", "rule": "default/rbac"}
    return json.dumps({**usual, "member": "home", **fields})


EXEC = {"subresource": "exec", "name": "x", "caller": "agent"}
DEVELOP = {"rule": "permission/develop"}
DISCOVERY = {"rule": "default/discovery", "objectNamespace": ""}
ROUTED = {**DEVELOP, "objectNamespace": "team-b", "member": "eu-1", "route": "builds"}
SAME = [
    line("list", "pods", **DEVELOP),
    line("get", "pods", **ROUTED),
    line("get", "pods", **{**ROUTED, "member": "us-1"}),  # a stand-in
    line("create", "pods", **EXEC, decision="denial", rule="permission/no-exec", member=""),
    line("get", path="/metrics", rule="permission/metrics"),
    line("get", path="/apis", **DISCOVERY),
    line("create", "secrets", **DEVELOP),
    line("create", "secrets", decision="denial", rule="guard/token-secret", member=""),
    line("create", "serviceaccounts", **DEVELOP, name="x", subresource="token"),
    line("list", "pods", rule="upstream/down"),
    '{"type":"log","event":"ready"}',
    "",
]


def replay(tmp_path: Path, *lines: str, options: tuple[str, ...] = (), content: Raw = USUAL) -> int:
    (tmp_path / "calls").write_text("".join(f"{text}\n" for text in lines))
    snapshot = write(tmp_path / "snapshot", content)
    return main(["replay", str(tmp_path / "calls"), "--snapshot", snapshot, *options])


def test_the_same_snapshot_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(tmp_path, *SAME) == 0
    assert capsys.readouterr() == ("10 calls replayed by revision r1: none would change\n", "")


def test_changes_are_grouped_and_counted_with_the_gravest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        *[line("list", "pods")] * 3,
        *[line("create", "pods", **EXEC)] * 2,
        line("get", "pods", objectNamespace="team-b", name="x", **DEVELOP),
        line("list", "configmaps", decision="denial", rule="default/deny", member=""),
        line("patch", "pods", objectNamespace="team-b", name="x", **DEVELOP),
    ]
    assert replay(tmp_path, *lines) == 1
    develop = "allowed by permission/develop at"
    moved = f"{develop} home -> {develop} eu-1 over route builds"
    assert (
        capsys.readouterr().out.splitlines()
        == f"""\
8 calls replayed by revision r1: 8 would change

       2  allowed by default/rbac at home -> denied by permission/no-exec
               2  create pods/exec in team-a by agent
                  first: create-pods

       1  denied by default/deny -> allowed by permission/develop at home
               1  list configmaps in team-a by app
                  first: list-configmaps

       1  {moved}
               1  get pods in team-b by app
                  first: get-pods

       3  allowed by default/rbac at home -> allowed by permission/develop at home
               3  list pods in team-a by app
                  first: list-pods

       1  {moved} (hangs on their bodies, which are not recorded)
               1  patch pods in team-b by app
                  first: patch-pods
""".splitlines()
    )


def test_what_cannot_be_told_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    review = {"group": "authorization.k8s.io", "objectNamespace": ""}
    lines = [
        line("list", "widgets", group="apps", objectNamespace=""),
        line("create", "selfsubjectaccessreviews", **review),
        line("list", "pods", decision="denial", rule="target/canonical"),
        line("list", "pods", **DEVELOP),
        "{",
        line("list", "pods", v=2),
        "x" * 1_500_000,
    ]
    assert replay(tmp_path, *lines) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 calls replayed by revision r1: none would change\n")
    assert "       3  were not decided again:\n" in said
    assert "               1  whether widgets.apps has namespaces is not known here:" in said
    assert "       3  lines could not be read:\n" in said
    assert "               1  longer than 1048576 bytes\n" in said
    assert replay(tmp_path, lines[0], options=("--kinds", "widgets.apps=cluster")) == 1


def test_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(tmp_path, line("create", "pods", **EXEC), "{", options=("--json",)) == 1
    group, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert group == {
        "count": 1,
        "old": {"decision": "permit", "rule": "default/rbac", "member": "home"},
        "new": {"decision": "denial", "rule": "permission/no-exec"},
        "hangsOnBody": False,
        "calls": {"create pods/exec in team-a by agent": 1},
        "example": "create-pods",
    }
    assert summary["summary"] == {
        "calls": 1,
        "changes": 1,
        "undecided": {},
        "unreadable": {"no JSON": 1},
    }


def test_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = io.TextIOWrapper(io.BytesIO("\n".join(SAME).encode()))
    monkeypatch.setattr(sys, "stdin", lines)
    assert main(["replay", "-", "--snapshot", write(tmp_path / "s")]) == 0
    assert "10 calls" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "content", "options", "said"),
    [
        ((), USUAL, (), "calls: holds no audit line of version 1\n"),
        (SAME, {}, (), "snapshot: apiVersion: is missing\n"),
        (SAME, USUAL, ("--kinds", "x"), "'x' tells no scope"),
    ],
)
def test_errors(
    lines: list[str],
    content: Raw,
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert replay(tmp_path, *lines, options=options, content=content) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = write(tmp_path / "s", document(None))
    assert main(["replay", str(tmp_path / "no"), "--snapshot", snapshot]) == 2
    assert (
        capsys.readouterr().err == f"mca policy replay: {tmp_path}/no: No such file or directory\n"
    )


def test_any_number_of_lines_is_read_in_the_same_memory(tmp_path: Path) -> None:
    """Names, kinds and namespaces that never come again, as a hostile caller makes them."""
    code = (
        "import re, sys\n"
        "from webhook.cli import main\n"
        "code = main(['policy', 'replay', '-', '--snapshot', sys.argv[1]])\n"
        "used = re.search(r'VmHWM:\\s*([0-9]+) kB', open('/proc/self/status').read())\n"
        "sys.stderr.write(used[1])\n"
    )
    snapshot = write(tmp_path / "s")
    used = []
    for count in (10_000, 60_000):
        lines = "".join(
            line("get", f"k{number}", name=f"n{number}", objectNamespace=f"s{number}") + "\n"
            for number in range(count)
        )
        done = subprocess.run(
            [sys.executable, "-c", code, snapshot],
            input=lines,
            capture_output=True,
            text=True,
            check=True,
            env={},
        )
        assert f"{count} calls" in done.stdout
        used.append(int(done.stderr))
    assert used[1] < used[0] + 1024
