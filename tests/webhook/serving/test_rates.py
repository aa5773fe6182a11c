"""So many at once, so many a second."""

import pytest

from webhook.serving.rates import Rates


def test_a_burst_and_then_the_rate() -> None:
    now = [100.0]
    rates = Rates(2, 3, clock=lambda: now[0])
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0]
    assert rates.take("a") == pytest.approx(0.5)
    assert rates.take("b") == 0
    now[0] += 0.25
    assert rates.take("a") == pytest.approx(0.25)
    now[0] += 0.25
    assert rates.take("a") == 0
    assert rates.take("a") == pytest.approx(0.5)
    now[0] += 1000
    assert [bool(rates.take("a")) for _ in range(4)] == [False, False, False, True]


def test_who_was_not_seen_for_longest_is_forgotten() -> None:
    rates = Rates(1, 1, most=2, clock=lambda: 0.0)
    assert rates.take("a") == 0
    assert rates.take("b") == 0
    assert rates.take("a") > 0
    assert rates.take("c") == 0  # b is forgotten, a is not
    assert rates.take("a") > 0
    assert rates.take("b") == 0
