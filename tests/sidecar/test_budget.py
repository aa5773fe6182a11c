"""Memory that is set aside, shared by the containers."""

import pytest

from sidecar.budget import Budget, Share

STEP = 4096
TOTAL = 16 * STEP


def fill(budget: Budget, container: str) -> int:
    """How often it gets a step."""
    count = 0
    while budget.take(container, STEP):
        count += 1
    return count


def test_one_alone_may_have_all_of_it() -> None:
    assert fill(Budget(1, TOTAL), "a") == 16


def test_each_may_have_half_of_what_the_others_leave() -> None:
    budget = Budget(3, TOTAL)
    assert [fill(budget, name) for name in "abc"] == [8, 4, 2]
    assert not budget.take("a", STEP)
    budget.give_back("b", 4 * STEP)
    assert fill(budget, "c") == 2
    assert fill(budget, "b") == 2


@pytest.mark.parametrize(
    ("needs", "sizes"),
    [
        ([0], [0]),
        ([1, 4096, 4097, 8192, 8193], [4096, 4096, 8192, 8192, 16384]),
        ([30_000, 30_001], [30_000, 40_000]),
        ([40_000], [40_000]),
    ],
)
def test_a_share_grows_with_what_comes(needs: list[int], sizes: list[int]) -> None:
    share = Share(Budget(1, TOTAL), "a", 40_000)
    for needed, size in zip(needs, sizes, strict=True):
        assert share.grow(needed)
        assert share.size == size


def test_a_small_body_holds_what_it_is() -> None:
    share = Share(Budget(1, TOTAL), "a", 500)
    assert share.grow(500)
    assert share.size == 500


def test_what_finds_no_room_holds_what_it_held() -> None:
    budget = Budget(1, TOTAL)
    share = Share(budget, "a", 10 * TOTAL)
    assert share.grow(1)
    assert not share.grow(TOTAL + 1)
    assert share.size == 4096
    share.give_back()
    share.give_back()
    assert fill(budget, "a") == 16
