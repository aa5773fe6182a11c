"""How findings are shown, and which exit code they come to."""

import json

import pytest

from webhook.cli.check.finding import Finding, Status, list_some
from webhook.cli.check.telling import choose_exit_code, render_json, render_text
from webhook.enforcement.report import Enforcement

FINE = Finding("one", "a", Status.OK, "fine")
ODD = Finding("one", "b", Status.WARN, "odd", "mend it")
BAD = Finding("two", "c", Status.FAIL, "bad", "mend that")
DARK = Finding("two", "d", Status.UNKNOWN, "dark", "light it")


@pytest.mark.parametrize(
    ("findings", "code"),
    [([FINE], 0), ([FINE, ODD], 0), ([FINE, DARK], 2), ([FINE, DARK, BAD], 1), ([], 0)],
)
def test_the_exit_code_is_the_worst(findings: list[Finding], code: int) -> None:
    assert choose_exit_code(findings) == code


def test_text() -> None:
    assert "\n".join(render_text([FINE, ODD, BAD, DARK])) == (
        "one\n"
        "  ok      a: fine\n"
        "  warn    b: odd\n"
        "            mend it\n"
        "\n"
        "two\n"
        "  fail    c: bad\n"
        "            mend that\n"
        "  unknown d: dark\n"
        "            light it\n"
        "\n"
        "1 ok, 1 warn, 1 fail, 1 unknown"
    )


def test_json() -> None:
    report = Enforcement("team", wanted=True, enforced=True, leftovers=())
    shown = json.loads(render_json("https://x", [FINE, BAD], [report]))
    assert (shown["server"], shown["result"]) == ("https://x", "findings")
    assert shown["findings"][1] == {
        "group": "two", "check": "c", "status": "fail", "message": "bad", "hint": "mend that",
    }  # fmt: skip
    assert shown["enforcement"] == [report.document()]


def test_long_lists_are_cut() -> None:
    assert list_some(["a", "b"]) == "a, b"
    assert list_some("abcdefg") == "a, b, c, d, e and 2 more"
    assert list_some([]) == ""
