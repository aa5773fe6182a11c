"""What libraries log becomes events, and a flood of it few; faults are told by their place."""

import json
import logging
from collections.abc import Iterator

import pytest

from webhook.serving.faults import Faults, locate_fault


@pytest.fixture
def moment() -> Iterator[list[float]]:
    """The time, to be moved on; a logger called `library` has the handler."""
    now = [100.0]
    logger = logging.getLogger("library")
    handler = Faults(lambda: now[0])
    logger.addHandler(handler)
    logger.propagate = False
    yield now
    logger.removeHandler(handler)
    logger.propagate = True


def read(capfd: pytest.CaptureFixture[str]) -> list[tuple[str, str | None, int]]:
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {line["event"] for line in lines} <= {"library_fault"}
    return [(line["level"], line["error"], line["untold"]) for line in lines]


def test_a_fault_is_told_by_its_kind(
    moment: list[float], capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("library")
    logger.info("not of this")
    try:
        raise ConnectionResetError("a secret")
    except ConnectionResetError:
        logger.exception("of %s", "a secret")
    moment[0] += 1
    logger.warning("a secret")
    captured = capfd.readouterr()
    assert "a secret" not in captured.out + captured.err
    told = [json.loads(line) for line in captured.out.splitlines()]
    assert [(line["level"], line["error"]) for line in told] == [
        ("error", "ConnectionResetError"), ("warning", None),
    ]  # fmt: skip
    assert told[0]["library"] == "library"
    assert told[0]["at"].startswith("test_faults:")


def test_of_many_one_a_second_is_told(
    moment: list[float], capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("library")
    for _ in range(5):
        logger.error("x")
    moment[0] += 1
    logger.error("x")
    assert read(capfd) == [("error", None, 0), ("error", None, 4)]


def test_a_bug_is_told_by_its_place_and_not_by_its_text() -> None:
    try:
        raise ValueError("a token")
    except ValueError as error:
        told = locate_fault(error)
    assert told.startswith("ValueError at test_faults.py:")
    assert "token" not in told
