import json
import os
from pathlib import Path
from typing import Any

import pytest

from webhook.cli.run.report import Event, Report, describe

AUDIT = b'{"type":"audit","v":1,"member":"home"}\n'


def event(level: str, name: str, **fields: Any) -> bytes:
    document = {"type": "log", "time": "now", "level": level, "event": name, **fields}
    return json.dumps(document).encode() + b"\n"


def test_audit_lines_are_appended_to_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    calls: list[bytes] = []
    for _ in range(2):
        report = Report(str(path))
        report.on_call = calls.append
        report.take([AUDIT, event("info", "ready"), AUDIT])
        report.close()
        report.close()
    assert path.read_bytes() == AUDIT * 4
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert calls == [AUDIT] * 4


def test_without_a_file_they_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    Report(None).take([AUDIT])
    assert capsys.readouterr() == ("", "")


def test_a_full_disk_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("/dev/full")
    report.take([AUDIT, AUDIT])
    assert capsys.readouterr().err == (
        "mca: the audit file cannot be written, no more lines are kept: No space left on device\n"
    )


def test_complaints_are_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(None)
    report.take(
        [
            event("info", "snapshot_loaded", revision="x"),
            event("warning", "credential_unusable", cluster="home", reason="\x1b[2Jx", kept=False),
            event("error", "task_failed", task="connect"),
            event("warning", "port_taken", message="it is taken"),
            event("warning", "shedding", memory=0.5),
            b"Traceback\x07\n",
        ]
    )
    assert capsys.readouterr().err.splitlines() == [
        "mca: warning: credential unusable: cluster home, ?[2Jx",
        "mca: error: task failed: task connect",
        "mca: it is taken",
        "mca: warning: shedding: memory 0.5",
        "mca: Traceback?",
    ]


def test_whoever_deals_with_an_event_keeps_it_from_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    heard: list[str] = []

    def first(event: Event) -> bool:
        heard.append("first")
        return bool(event["event"] == "mine")

    def second(_event: Event) -> bool:
        heard.append("second")
        return False

    report = Report(None)
    report.listeners += [first, second]
    report.take([event("error", "mine"), event("error", "yours")])
    assert heard == ["first", "first", "second"]
    assert capsys.readouterr().err == "mca: error: yours\n"


def test_what_is_described() -> None:
    assert describe({"level": "error"}) == "error: "


def test_a_file_that_cannot_be_opened_is_known_before_anything_starts() -> None:
    with pytest.raises(OSError, match="Is a directory"):
        Report(os.curdir)
