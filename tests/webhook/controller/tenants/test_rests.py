"""A member that does not answer is left alone, longer each time, and tried by one at a time."""

import pytest

from webhook.answers import TOO_LONG, TOO_MANY
from webhook.controller.tenants.rests import FIRST_S, LONGEST_S, SLOW_S, VISIT_S, Rests
from webhook.kube import NOT_LEADING, KubeError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rests(clock: Clock) -> Rests:
    return Rests(clock)


def fail(rests: Rests, status: int = 0) -> None:
    with pytest.raises(KubeError, match="no"), rests.watch("eu"):
        raise KubeError(status, "", "no")


def is_let_in(rests: Rests, failure: str = "") -> bool:
    try:
        rests.ask("eu", failure)
    except KubeError:
        return False
    return True


def test_who_answers_is_visited_by_all(rests: Rests) -> None:
    for _ in range(3):
        assert is_let_in(rests)
        with rests.watch("eu"):
            pass
    fail(rests, status=403)
    assert is_let_in(rests)


def test_what_others_found_out_counts(rests: Rests) -> None:
    assert not is_let_in(rests, "timed out")
    assert is_let_in(rests)


def test_who_does_not_answer_rests_longer_each_time(rests: Rests, clock: Clock) -> None:
    pause = FIRST_S
    fail(rests)
    for _ in range(8):
        clock.now += pause - 1
        assert not is_let_in(rests)
        clock.now += 1
        # One tries it, and the others wait.
        assert is_let_in(rests)
        assert not is_let_in(rests)
        clock.now += VISIT_S - 1
        fail(rests)
        pause = min(LONGEST_S, pause * 2)
    clock.now += pause
    assert is_let_in(rests)
    with rests.watch("eu"):
        pass
    assert is_let_in(rests)
    assert is_let_in(rests)


def test_several_that_fail_at_once_count_as_one(rests: Rests, clock: Clock) -> None:
    for _ in range(4):
        fail(rests)
    clock.now += FIRST_S
    assert is_let_in(rests)


def test_who_takes_long_rests_too(rests: Rests, clock: Clock) -> None:
    with rests.watch("eu"):
        clock.now += SLOW_S + 1
    assert not is_let_in(rests)


def test_who_never_came_back_is_tried_again(rests: Rests, clock: Clock) -> None:
    fail(rests)
    clock.now += FIRST_S
    assert is_let_in(rests)
    clock.now += VISIT_S
    assert is_let_in(rests)


def test_of_a_member_that_is_gone_nothing_is_remembered(rests: Rests) -> None:
    fail(rests)
    assert not is_let_in(rests)
    rests.forget("eu")
    assert is_let_in(rests)
    rests.forget("never-heard-of")


def test_who_does_not_lead_says_nothing_of_the_member(rests: Rests) -> None:
    with pytest.raises(KubeError), rests.watch("eu"):
        raise KubeError(0, NOT_LEADING, "another replica leads")
    assert is_let_in(rests)
    fail(rests)
    assert not is_let_in(rests)
    rests.begin_term()
    assert is_let_in(rests)


@pytest.mark.parametrize("reason", [TOO_LONG, TOO_MANY])
def test_who_answers_too_much_at_once_is_not_silent(
    rests: Rests, clock: Clock, reason: str
) -> None:
    """It is what others put there; only who takes long with it is left alone."""

    def visit(seconds: float) -> None:
        with rests.watch("eu"):
            clock.now += seconds
            raise KubeError(0, reason, "too much")

    for seconds, let_in in ((1, True), (SLOW_S + 1, False)):
        with pytest.raises(KubeError):
            visit(seconds)
        assert is_let_in(rests) is let_in
