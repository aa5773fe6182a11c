"""What is left, read from real files of the kernel and from files as the kernel writes them."""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.pressure import (
    Pressure,
    _find_memory_files,
    _read_limit,
    _working_set,
    resident_bytes,
    trim_memory,
)

MB = 1 << 20


@pytest.fixture(autouse=True)
def own_descriptor_limit() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def files(folder: Path, limit: str, usage: str, statistics: str) -> tuple[str, str, str]:
    names = []
    for name, text in (("limit", limit), ("usage", usage), ("stat", statistics)):
        (folder / name).write_text(text)
        names.append(str(folder / name))
    return names[0], names[1], names[2]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("67108864\n", 64 * MB), ("max\n", 0), ("9223372036854771712\n", 0), ("", 0)],
)
def test_limit(tmp_path: Path, text: str, limit: int) -> None:
    assert _read_limit(files(tmp_path, text, "0", "")) == limit


def test_no_limit_without_a_cgroup(tmp_path: Path) -> None:
    assert _read_limit(None) == 0
    assert _working_set(None) == 0
    assert _read_limit((str(tmp_path / "none"), "", "")) == 0


@pytest.mark.parametrize(
    ("statistics", "used"),
    [
        ("anon 5\ninactive_file 1000\nactive_file 7\n", 9000),
        ("cache 5\ntotal_inactive_file 4000\n", 6000),
        ("anon 5\n", 10000),
        ("inactive_file 20000\n", 0),
    ],
)
def test_the_working_set_leaves_out_what_the_kernel_takes_back(
    tmp_path: Path, statistics: str, used: int
) -> None:
    assert _working_set(files(tmp_path, "0", "10000\n", statistics)) == used


def test_without_a_readable_usage_our_own_memory_counts(tmp_path: Path) -> None:
    for found in (files(tmp_path, "0", "odd", ""), (str(tmp_path / "none"),) * 3):
        assert resident_bytes() / 2 < _working_set(found) < resident_bytes() * 2


def test_resident_bytes_is_what_the_kernel_says() -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    told = int(status["VmRSS"].split()[0]) * 1024
    assert resident_bytes() == pytest.approx(told, rel=0.1)
    assert resident_bytes() > 5 * MB


def test_the_files_of_our_own_cgroup_can_be_read() -> None:
    found = _find_memory_files()
    if found is not None:
        assert all(os.access(name, os.R_OK) for name in found)
        assert _working_set(found) > 0
    assert Pressure(0).memory_limit == _read_limit(found)


def test_the_share_of_the_limit_in_use() -> None:
    pressure = Pressure(0)
    pressure.memory_limit = 0
    assert pressure.measure() == 0
    pressure.memory_limit = sys.maxsize
    share = pressure.measure()
    pressure.memory_limit //= 2
    assert pressure.measure() == pytest.approx(share * 2, rel=0.2)
    assert pressure.memory == pytest.approx(share * 2, rel=0.2)


@pytest.mark.parametrize(
    ("memory", "connections", "shedding", "full"),
    [
        (0.0, 0, False, False),
        (0.0, 90, False, False),
        (0.0, 91, True, False),
        (0.0, 99, True, False),
        (0.0, 100, True, True),
        (0.79, 0, False, False),
        (0.80, 0, True, False),
        (0.89, 0, True, False),
        (0.90, 0, True, True),
    ],
)
def test_when_to_shed_and_when_to_close(
    memory: float, connections: int, shedding: bool, full: bool
) -> None:
    pressure = Pressure(100)
    pressure.memory = memory
    assert (pressure.shedding(connections), pressure.full(connections)) == (shedding, full)


@pytest.mark.parametrize(("soft", "most"), [(200, 1000), (1000, 1000), (40, 100)])
def test_connections_come_from_the_descriptors(soft: int, most: int) -> None:
    """In a process of its own: a hard limit that is lowered stays so."""
    child = os.fork()
    if not child:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
            pressure = Pressure(0)
            raised = resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
            # Each call takes two descriptors, and some are not for calls.
            right = pressure.max_connections == max(64, (most - 32) // 2)
            code = 0 if raised and right else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_set_number_of_connections_counts() -> None:
    assert Pressure(7).max_connections == 7


def test_freed_memory_goes_back() -> None:
    """Held by pins between them, blocks that were freed stay with malloc until it is told."""
    blocks: list[bytearray] = []
    pins: list[bytearray] = []
    for _ in range(800):
        blocks.append(bytearray(b"a") * (64 * 1024))
        pins.append(bytearray(b"a") * 1024)
    blocks.clear()
    before = resident_bytes()
    trim_memory()
    assert len(pins) == 800
    assert resident_bytes() < before - 10 * MB
