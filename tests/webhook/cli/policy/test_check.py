import json
from pathlib import Path

import pytest

from tests.webhook.cli.policy.scene import USUAL, document, permission, route, tenant, write
from webhook.cli.policy import main

PODS = {"groups": [""], "resources": ["pods"]}
HIDDEN = document(tenant(permission("all"), permission("more", resources=["pods"])))
WRONG = document(tenant(permission("a", verbs=["look"])), route("r", "nowhere", PODS))


def test_one_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write(tmp_path / "a"), write(tmp_path / "b", document(None))]
    assert main(["check", *files]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines() == [
        f"{tmp_path}/a: fine: tenant acme with 4 rules; clusters: home, eu-1, us-1; routes: builds",
        f"{tmp_path}/b: fine: no tenant; clusters: home, eu-1, us-1; routes: none",
    ]
    assert main(["check", "--json", *files]) == 0
    assert capsys.readouterr().out == ""


def test_every_error_and_every_warning_with_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [write(tmp_path / "w", HIDDEN), write(tmp_path / "e", WRONG), write(tmp_path / "o")]
    assert main(["check", *files]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said.pop().startswith(f"{tmp_path}/o: fine: ")
    assert said[0] == (
        f"{tmp_path}/w: warning: tenant.permissions[1]: adds nothing: 'all' allows all of it"
    )
    assert [line.split(": ")[1:3] for line in said[1:]] == [
        ["error", "tenant.permissions[0].verbs[0]"],
        ["error", "routes[0].to.members[0].cluster"],
    ]


def test_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", write(tmp_path / "w", HIDDEN)]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "file": f"{tmp_path}/w",
        "severity": "warning",
        "path": "tenant.permissions[1]",
        "message": "adds nothing: 'all' allows all of it",
    }


def test_a_file_that_is_not_there_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / "no"), write(tmp_path / "e", WRONG)]) == 2
    said = capsys.readouterr()
    assert said.err == f"mca policy check: {tmp_path}/no: No such file or directory\n"
    assert len(said.out.splitlines()) == 2


def test_what_a_file_holds_cannot_colour_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "x", {**USUAL, "\x1b[31mred": 1})
    assert main(["check", path]) == 1
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["check"],
            "mca policy check: the following arguments are required: FILE;"
            " `mca policy check --help` tells more\n",
        ),
        (["chekc"], "mca policy: 'chekc' is no command; `mca policy --help` lists them\n"),
        (
            ["--x"],
            "mca policy: '--x' is no option of `mca policy`; `mca policy --help` lists them\n",
        ),
    ],
)
def test_mistakes(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert (end.value.code, capsys.readouterr().err) == (2, said)


def test_help_comes_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "\n  replay AUDIT.jsonl --snapshot FILE " in capsys.readouterr().out
