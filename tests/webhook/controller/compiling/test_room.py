"""How much room Routes have in a namespace, and which of them count by that."""

from typing import Any

import pytest

from tests.webhook.resources.objects import make_match, make_route
from webhook.controller.compiling.room import (
    MAX_LETTERS,
    MAX_ROUTES,
    MAX_WORDS,
    Room,
    choose_counted,
)
from webhook.resources.meta import Meta
from webhook.resources.routes import Outline, Size, parse_route

SMALL = Size(1, 10)


def make_line(name: str, size: Size = SMALL, priority: int = 0) -> Outline:
    return Outline(Meta(name), priority, size)


def names(routes: Any) -> list[str]:
    return [route.name for route in routes]


@pytest.mark.parametrize("most", [Size(MAX_WORDS, 0), Size(0, MAX_LETTERS)])
def test_room_is_what_is_left(most: Size) -> None:
    words, letters = most
    room = Room()
    assert not room.take(Size(words + bool(words), letters + bool(letters)))
    assert room.take(most)
    assert not room.take(SMALL)
    assert room.take(Size(0, 0))


def test_no_more_than_so_many() -> None:
    room = Room()
    assert [room.take(SMALL) for _ in range(MAX_ROUTES + 1)] == [True] * MAX_ROUTES + [False]


def test_routes_and_lines_count_by_priority_then_by_name() -> None:
    routes = [
        parse_route(make_route("b", priority=5)),
        parse_route(make_route("bad", match=[make_match("Pods")])),
        make_line("a", priority=5),
        make_line("top", priority=6),
        make_line("c"),
    ]
    chosen = choose_counted(routes)
    assert names(chosen.counted) == ["top", "a", "b", "c"]
    assert (chosen.wordy, chosen.surplus) == ([], [])


def test_the_first_that_does_not_fit_ends_it() -> None:
    routes = [
        make_line("a", Size(MAX_WORDS - 1, 10)),
        make_line("b", Size(2, 10)),
        make_line("c"),
    ]
    chosen = choose_counted(routes)
    assert (names(chosen.counted), names(chosen.wordy)) == (["a"], ["b", "c"])


def test_beyond_the_number_they_are_surplus() -> None:
    chosen = choose_counted(make_line(f"r{number:03}") for number in range(MAX_ROUTES + 2))
    assert (len(chosen.counted), names(chosen.surplus)) == (MAX_ROUTES, ["r100", "r101"])
