import json
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar.audit import AuditLog, fragment
from sidecar.log import LineWriter

SHARED = b'"caller":"app","decision":"permit"'


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    yield read, write
    os.close(read)
    os.close(write)


def read_lines(fd: int) -> list[bytes]:
    try:
        return os.read(fd, 1 << 20).splitlines(keepends=True)
    except BlockingIOError:
        return []


def test_a_line_says_what_the_call_was(pipe: tuple[int, int]) -> None:
    read, write = pipe
    audit = AuditLog(LineWriter(write))
    audit.append(b"0" * 31 + b"1", SHARED, 200, 10, 20, 30)
    audit.flush()
    (line,) = read_lines(read)
    assert line.endswith(b"}\n")
    told: dict[str, Any] = json.loads(line)
    assert list(told)[:4] == ["type", "v", "time", "id"]
    when = datetime.fromisoformat(told.pop("time"))
    assert abs(datetime.now(tz=when.tzinfo) - when) < timedelta(seconds=5)
    assert told == {
        "type": "audit",
        "v": 1,
        "id": "0" * 31 + "1",
        "caller": "app",
        "decision": "permit",
        "code": 200,
        "bytesIn": 10,
        "bytesOut": 20,
        "durationUs": 30,
    }


def test_lines_wait_for_the_flush(pipe: tuple[int, int]) -> None:
    read, write = pipe
    audit = AuditLog(LineWriter(write))
    for number in range(3):
        audit.append(b"%032d" % number, SHARED, 200, 0, 0, 0)
    assert read_lines(read) == []
    audit.flush()
    assert [json.loads(line)["id"] for line in read_lines(read)] == [f"{n:032}" for n in range(3)]
    audit.flush()
    assert read_lines(read) == []


def test_many_lines_do_not_wait(pipe: tuple[int, int]) -> None:
    """Else a busy sidecar would gather without bound between two flushes."""
    read, write = pipe
    audit = AuditLog(LineWriter(write))
    size = 0
    while not (lines := read_lines(read)):
        audit.append(b"a" * 32, SHARED, 200, 0, 0, 0)
        size += 1
        assert size < 1000, "nothing was handed over"
    assert size > 200
    assert all(json.loads(line) for line in lines[:-1])


def test_the_second_is_told_anew(pipe: tuple[int, int]) -> None:
    read, write = pipe
    audit = AuditLog(LineWriter(write))
    stamps = []
    for _ in range(2):
        audit.append(b"a" * 32, SHARED, 200, 0, 0, 0)
        time.sleep(1.01 - time.time() % 1)
    audit.flush()
    for line in read_lines(read):
        stamp = json.loads(line)["time"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stamp)
        stamps.append(datetime.fromisoformat(stamp))
    assert timedelta(0) < stamps[1] - stamps[0] < timedelta(seconds=5)
    assert stamps[0].second != stamps[1].second


@given(st.lists(st.tuples(st.sampled_from(["verb", "name", "path"]), st.text()), max_size=3))
def test_a_fragment_is_json_whatever_it_holds(fields: list[tuple[str, str]]) -> None:
    text = fragment(*fields)
    assert json.loads(b"{" + text + b"}") == {name: value for name, value in fields if value}
    assert text.isascii()
    assert b"\n" not in text


def test_empty_fields_are_left_out() -> None:
    assert fragment(("verb", "get"), ("name", ""), ("rule", "a")) == b'"verb":"get","rule":"a"'
    assert fragment() == b""
