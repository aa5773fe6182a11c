"""However many sidecars there are, so many reports a second they make together, and no more."""

import pytest

from webhook.controller.broker.pacing import Pace, choose_pace


@pytest.mark.parametrize(
    ("sidecars", "expected"),
    [
        (0, Pace(300, 2)),
        (400, Pace(300, 2)),
        (7_500, Pace(300, 38)),
        (10_000, Pace(400, 50)),
        (50_000, Pace(2_000, 250)),
        (100_000, Pace(3_600, 500)),
        (1_000_000, Pace(3_600, 600)),
    ],
)
def test_pace(sidecars: int, expected: Pace) -> None:
    assert choose_pace(sidecars) == expected


def test_all_together_have_a_bound() -> None:
    for sidecars in range(0, 90_000, 500):
        pace = choose_pace(sidecars)
        assert sidecars / pace.again_s <= 25
        assert sidecars / pace.spread_s <= 200


def test_what_was_said_counts_until_two_are_lost() -> None:
    assert Pace(300, 2).counts_s == 780
    assert Pace(2_000, 2).counts_s == 5_200
