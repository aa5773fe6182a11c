import subprocess
import sys

import pytest

from webhook.cli.arguments import Parser, complain, lacks_extra, printable


def test_a_complaint_is_marked_on_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("one\ntwo\x1b[0m")
    complain("")
    assert capsys.readouterr() == ("", "mca: one\nmca: two?[0m\n")


def test_what_moves_the_cursor_is_not_printed() -> None:
    assert printable("größe \x1b[2J\x07\u202e€") == "größe ?[2J??€"


def test_a_missing_module_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert not lacks_extra("mca x", "os", "re")
    assert lacks_extra("mca x", "os", "mca_no_such", "mca_nor_this")
    assert capsys.readouterr().err == (
        "mca: mca x needs mca_no_such and mca_nor_this: install multi-cluster-adapter[control]\n"
    )


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="mca x", usage="u", description="d", epilog="e")
    parser.add_argument("--context")
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--con", "x"])
    assert end.value.code == 64
    assert capsys.readouterr().err == (
        "mca x: unrecognized arguments: --con x; `mca x --help` tells more\n"
    )


def test_a_command_may_have_another_code_for_mistakes() -> None:
    parser = Parser(prog="mca x", usage="u", description="d", epilog="e", exit_code=2)
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["x"])
    assert end.value.code == 2


def test_who_reads_only_the_first_line_gets_it() -> None:
    code = "from webhook.cli.arguments import tell; tell(map(str, range(1_000_000)))"
    command = f"'{sys.executable}' -c '{code}' | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
