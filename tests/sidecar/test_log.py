import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sidecar import log
from sidecar.log import LineWriter, render_event
from sidecar.secret import Secret

F_SETPIPE_SZ = 1031


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    fcntl.fcntl(write, F_SETPIPE_SZ, 65536)
    yield read, write
    for fd in (read, write):
        with suppress(OSError):
            os.close(fd)


def read_lines(fd: int, writer: LineWriter) -> list[bytes]:
    """Everything that arrives while the writer flushes, by a reader that never waits."""
    os.set_blocking(fd, False)
    data = b""
    done = False
    while not done:
        done = writer.flush()
        with suppress(BlockingIOError):
            while piece := os.read(fd, 1 << 20):
                data += piece
    return data.splitlines(keepends=True)


def parse(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def test_a_line_says_when_how_grave_and_what() -> None:
    line = render_event("info", "listening", {"port": 6443, "public": False, "none": None})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    event = parse(line)
    assert event.pop("time")[10] == "T"
    assert event == {
        "type": "log",
        "level": "info",
        "event": "listening",
        "port": 6443,
        "public": False,
        "none": None,
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret(b"w0rd"), "hidden"),
        ([Secret(b"w0rd"), 1], ["hidden", 1]),
        ({"a": (Secret(b"w0rd"),)}, {"a": ["hidden"]}),
        (b"by\xffte", "by\\xffte"),
        (ValueError("odd"), "ValueError: odd"),
        ("two\nlines", "two\nlines"),
        ("lone \ud800", "lone \ud800"),
        ("x" * 9000, "x" * 8192 + "…"),
        (object, "<class 'object'>"),
        (1.5, 1.5),
    ],
)
def test_any_value_has_a_form(value: object, shown: object) -> None:
    line = render_event("info", "e", {"value": value})
    assert line.count(b"\n") == 1
    assert parse(line)["value"] == shown


def test_a_field_does_not_hide_what_every_line_has() -> None:
    event = parse(render_event("info", "e", {"event": "mine", "type": "mine"}))
    assert (event["event"], event["event_"], event["type"], event["type_"]) == (
        "e",
        "mine",
        "log",
        "mine",
    )


def test_lines_below_the_level_are_not_written(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = pipe
    monkeypatch.setattr(log, "stdout", LineWriter(write))
    monkeypatch.setattr(log, "_threshold", 0)
    log.set_level("warning")
    log.log_event("info", "quiet")
    log.log_event("warning", "loud", why="because")
    lines = read_lines(read, log.stdout)
    assert [parse(line)["event"] for line in lines] == ["loud"]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_full_pipe_neither_blocks_nor_loses_order(pipe: tuple[int, int], blocking: bool) -> None:
    read, write = pipe
    os.set_blocking(write, blocking)
    writer = LineWriter(write)
    sent = [b"%05d %s\n" % (number, b"x" * (number % 700)) for number in range(500)]
    for start in range(0, 500, 10):
        writer.write(b"".join(sent[start : start + 10]))
    assert not writer.flush()
    assert read_lines(read, writer) == sent
    assert writer.dropped_lines == 0


def test_a_descriptor_that_has_room_but_not_enough_is_no_fault() -> None:
    # An eventfd counts: it polls as writable until a write would carry it over its end.
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    writer = LineWriter(fd)
    for _ in range(23):
        writer.write(b"\xff" * 7 + b"\n")
        assert writer.flush()
    writer.write(b"\xff" * 7 + b"\n")
    assert not writer.flush()
    os.eventfd_read(fd)
    assert writer.flush()
    assert writer.dropped_lines == 0
    os.close(fd)


def test_a_line_longer_than_the_pipe_goes_in_pieces(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = LineWriter(write)
    writer.write(b"y" * 200_000 + b"\n")
    assert read_lines(read, writer) == [b"y" * 200_000 + b"\n"]


def test_two_writers_of_one_pipe_do_not_mix_their_lines(pipe: tuple[int, int]) -> None:
    read, write = pipe
    code = (
        "import os, sys\n"
        "from sidecar.log import LineWriter\n"
        "w = LineWriter(1)\n"
        "lines = (sys.argv[1].encode() * 900 + b'\\n') * 3\n"
        "for _ in range(400): w.write(lines)\n"
        "while not w.flush(): pass\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, name], stdout=write) for name in ("a", "b")
    ]
    os.close(write)
    data = b""
    while piece := os.read(read, 1 << 20):
        data += piece
    for child in children:
        assert child.wait() == 0
    assert set(data.split(b"\n")) == {b"a" * 900, b"b" * 900, b""}


def test_what_a_stalled_reader_loses_is_counted_and_told(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = LineWriter(write, backlog_bytes=100_000)
    line = b"z" * 999 + b"\n"
    for _ in range(300):
        writer.write(line)
    lost = writer.dropped_lines
    # 64 KiB in the pipe, 100,000 bytes here.
    assert 130 <= lost <= 150
    kept = read_lines(read, writer)
    assert kept == [line] * (300 - lost)
    writer.write(line)
    told, again = read_lines(read, writer)
    assert again == line
    assert (parse(told)["event"], parse(told)["count"]) == ("log_lines_dropped", lost)
    writer.write(line)
    assert read_lines(read, writer) == [line]


def test_a_reader_that_is_gone_stops_nothing(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = LineWriter(write)
    writer.write(b"one\n")
    os.close(read)
    writer.write(b"two\nthree\n")
    writer.write(b"four\n")
    assert writer.dropped_lines == 3


def test_a_full_disk_stops_nothing() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(fd)
    for number in range(1, 4):
        writer.write(b"a\nb\n")
        assert writer.dropped_lines == 2 * number
    os.close(fd)
    writer.write(b"the descriptor is closed\n")
    assert writer.dropped_lines == 7


def test_a_line_torn_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    code = (
        "import resource\n"
        "from sidecar.log import LineWriter\n"
        "w = LineWriter(1)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))\n"
        "w.write(b'a' * 60 + b'\\n' + b'b' * 60 + b'\\n')\n"
        "w.write(b'c' * 60 + b'\\n')\n"
        "assert w.dropped_lines == 2, w.dropped_lines\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "w.write(b'd' * 60 + b'\\n')\n"
    )
    path = tmp_path / "log"
    with path.open("wb") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    first, torn, told, last = path.read_bytes().splitlines()
    assert (first, torn, last) == (b"a" * 60, b"b" * 39, b"d" * 60)
    assert parse(told)["count"] == 2


def test_closed_descriptors_are_claimed_before_a_socket_gets_one() -> None:
    code = (
        "import os, sys\n"
        "from sidecar.log import claim_descriptors, log_event\n"
        "os.close(0); os.close(1)\n"
        "claim_descriptors()\n"
        "r, w = os.pipe()\n"
        "log_event('info', 'to nowhere')\n"
        "sys.exit(0 if min(r, w) > 2 else 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_do_not_write_each_others_lines_again() -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)  # two who both found room would wait for ever
    writer = LineWriter(write_fd)
    lines = [b"%d-%d\n" % (thread, number) for thread in range(8) for number in range(400)]

    together = threading.Barrier(8)

    def write(mine: list[bytes]) -> None:
        together.wait()
        for line in mine:
            writer.write(line)

    threads = [
        threading.Thread(target=write, args=(lines[400 * number : 400 * (number + 1)],))
        for number in range(8)
    ]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert writer.flush()
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        assert sorted(pipe.read().splitlines(keepends=True)) == sorted(lines)
