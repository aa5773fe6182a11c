import os
import signal
from pathlib import Path

import pytest

from webhook.cli.run.child import CommandError, find_command, start, start_thread


@pytest.fixture
def folders(tmp_path: Path) -> str:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "plain").write_text("")
    (tmp_path / "a" / "both").write_text("")
    (tmp_path / "a" / "folder").mkdir()
    for name in ("both", "only"):
        (tmp_path / "b" / name).write_text("#!/bin/sh\n")
        (tmp_path / "b" / name).chmod(0o755)
    return f"{tmp_path}/a:{tmp_path}/b"


def test_a_command_is_found_as_by_a_shell(
    folders: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_command("only", folders) == f"{tmp_path}/b/only"
    # Of two, the one that can be run.
    assert find_command("both", folders) == f"{tmp_path}/b/both"
    assert find_command(f"{tmp_path}/b/only", "") == f"{tmp_path}/b/only"
    monkeypatch.chdir(tmp_path / "b")
    assert find_command("./only", folders) == "./only"
    assert find_command("only", "") == "./only"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nope", 127, "nope: not found"),
        ("", 127, ": not found"),
        ("/no/such", 127, "/no/such: not found"),
        ("plain", 126, "plain: is not executable"),
        ("folder", 126, "folder: is a directory"),
        ("/", 126, "/: is a directory"),
    ],
)
def test_what_cannot_be_run(folders: str, name: str, code: int, said: str) -> None:
    with pytest.raises(CommandError, match=said) as failure:
        find_command(name, folders)
    assert failure.value.code == code


def run(command: str, *, own_group: bool = False) -> tuple[int, str]:
    """Its process id and what it printed."""
    output, its_output = os.pipe()
    arguments = ["sh", "-c", command]
    pid = start("/bin/sh", arguments, {"A": "b"}, stdout=its_output, own_group=own_group)
    os.close(its_output)
    with open(output) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return pid, text.strip()


def test_a_child_has_the_environment_and_the_group_that_it_should() -> None:
    assert run("echo $A$HOME")[1] == "b"
    group = "cut -d' ' -f5 /proc/$$/stat"
    assert run(group)[1] == str(os.getpgrp())
    pid, own = run(group, own_group=True)
    assert own == str(pid)


def test_a_child_inherits_neither_our_mask_nor_what_python_ignores() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        _, status = run("grep -E '^Sig(Blk|Ign)' /proc/self/status")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    blocked, ignored = (int(line.split()[1], 16) for line in status.splitlines())
    assert blocked == 0
    assert not ignored & sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ))


def test_a_thread_gets_no_signals() -> None:
    masks: list[set[int | signal.Signals]] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    thread = start_thread(lambda: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "x")
    thread.join()
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD} <= masks[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    with pytest.raises(CommandError, match="odd: cannot be run: No such file") as failure:
        start(str(path), ["odd"], {}, own_group=False)
    assert failure.value.code == 126
