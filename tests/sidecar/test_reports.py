from collections.abc import Callable

import pytest

from sidecar.inquiry import Told
from sidecar.policy.verdict import Denial, Reason
from sidecar.reports import Pace, Reports, read_pace

TAKEN = Told(200, b"application/json", b"{}")
DOWN = Denial(Reason.SERVICE_UNAVAILABLE, "upstream/unreachable", "no broker")


class Desk:
    """Takes reports; a test answers them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.then: list[Callable[[Told | Denial], None]] = []
        self.reports = Reports(self._take)

    def _take(self, revision: str, version: str, then: Callable[[Told | Denial], None]) -> None:
        self.told.append((revision, version))
        self.then.append(then)

    def find_next(self, now: float, until: float) -> float | None:
        """When it reports, looked at ten times a second."""
        told = len(self.told)
        while now < until:
            now += 0.1
            self.reports.poll(now)
            if len(self.told) > told:
                return now
        return None


def test_nothing_is_told_before_there_is_something() -> None:
    assert Desk().find_next(0, 2000) is None


def test_a_change_is_told_soon_and_again_after_some_minutes() -> None:
    desk = Desk()
    desk.reports.adopt("v1-a", 100)
    at = desk.find_next(100, 200)
    assert at is not None
    assert 100.5 <= at <= 102.7
    assert desk.told == [("v1-a", "0.1.0")]
    desk.then.pop()(TAKEN)
    desk.reports.adopt("v1-a", at)
    again = desk.find_next(at, 1000)
    assert again is not None
    assert 239 <= again - at <= 301


def test_the_broker_says_how_often_and_within_which_time() -> None:
    desk = Desk()
    desk.reports.adopt("v1-a", 0)
    at = desk.find_next(0, 10) or 0.0
    desk.then.pop()(Told(200, b"", b'{"againSeconds":2000,"spreadSeconds":250}'))
    again = desk.find_next(at, at + 3000)
    assert again is not None
    assert 1600 <= again - at <= 2001
    after = []
    for number in range(20):
        begin = 10_000.0 * (number + 1)
        desk.reports.adopt(f"v1-{number}", begin)
        desk.then.pop()(Told(200, b"", b'{"againSeconds":2000,"spreadSeconds":250}'))
        found = desk.find_next(begin, begin + 300)
        assert found is not None
        after.append(found - begin)
    assert 0.5 <= min(after) < max(after) <= 251
    assert max(after) - min(after) > 50


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"againSeconds":2000,"spreadSeconds":250,"more":1}', Pace(2000, 250)),
        (b'{"againSeconds":0,"spreadSeconds":-1}', Pace(60, 1)),
        (b'{"againSeconds":99999999,"spreadSeconds":99999999}', Pace(7200, 900)),
        (b'{"againSeconds":"1","spreadSeconds":true}', Pace()),
        (b'{"againSeconds":NaN,"spreadSeconds":1e400}', Pace()),
        (b'{"spreadSeconds":10}', Pace(300, 10)),
        (b"", Pace()),
        (b"[]", Pace()),
        (b"[" * 100_000, Pace()),
        (b"\xff", Pace()),
    ],
)
def test_what_the_broker_says_has_bounds(content: bytes, expected: Pace) -> None:
    assert read_pace(content) == expected


def test_one_report_at_a_time_and_then_the_newest() -> None:
    desk = Desk()
    desk.reports.adopt("v1-a", 0)
    desk.find_next(0, 10)
    desk.reports.adopt("v1-b", 10)
    assert desk.find_next(10, 20) is None
    desk.then.pop()(TAKEN)
    assert desk.find_next(20, 30) is not None
    assert [revision for revision, _ in desk.told] == ["v1-a", "v1-b"]


@pytest.mark.parametrize("answer", [DOWN, Told(503, b"", b""), Told(401, b"", b"")])
def test_what_was_not_taken_is_told_again_less_and_less(answer: Told | Denial) -> None:
    desk = Desk()
    desk.reports.adopt("v1-a", 0)
    now = desk.find_next(0, 10) or 0.0
    pauses = []
    for _ in range(9):
        desk.then.pop()(answer)
        at = desk.find_next(now, now + 1000)
        assert at is not None
        pauses.append(at - now)
        now = at
    assert 1.9 <= pauses[0] <= 2.7
    assert 3.9 <= pauses[1] <= 5.2
    assert pauses[-1] >= 299


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_will_never_be_taken_is_not_told_again_soon(status: int) -> None:
    desk = Desk()
    desk.reports.adopt("v1-a", 0)
    at = desk.find_next(0, 10) or 0.0
    desk.then.pop()(Told(status, b"", b""))
    assert desk.find_next(at, at + 200) is None
