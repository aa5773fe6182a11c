"""Seats at a member: turns go around the containers, and nobody waits for ever."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from sidecar import seats as module
from sidecar.policy.snapshot import ClusterLimits
from sidecar.seats import Seats, Ticket


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Scene:
    """Claims, and who was told what."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: int, streams: int = 0) -> None:
        self.seats = Seats(loop, ClusterLimits(connections, streams))
        self.told: list[tuple[str, bool]] = []

    def ask(self, name: str) -> Ticket:
        ticket = self.seats.claim(name[0], lambda seated: self.told.append((name, seated)))
        ticket.ask()
        return ticket


def test_without_a_limit_everybody_sits(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, 0)
    assert not scene.seats.limited
    for number in range(100):
        scene.ask(f"a{number}")
    assert all(seated for _, seated in scene.told)


def test_turns_go_around_the_containers(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, 1)
    tickets = {name: scene.ask(name) for name in ("a1", "a2", "a3", "a4", "b1", "c1", "b2")}
    order = ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]
    for count, name in enumerate(order, 1):
        assert [told for told, _ in scene.told] == order[:count]
        tickets[name].give_back()


def test_whoever_leaves_is_not_seated(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, 1)
    first, second, third = (scene.ask(name) for name in ("a1", "b1", "c1"))
    second.give_back()
    first.give_back()
    assert scene.told == [("a1", True), ("c1", True)]
    third.give_back()
    third.give_back()
    scene.ask("d1")
    assert scene.told[-1] == ("d1", True)
    scene.ask("e1")
    assert scene.told[-1] == ("d1", True), "a seat that was given back twice is one seat"


def test_the_wait_is_bounded(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.02)
    scene = Scene(loop, 1)
    first, late = scene.ask("a1"), scene.ask("b1")
    loop.run_until_complete(asyncio.sleep(0.05))
    assert scene.told == [("a1", True), ("b1", False)]
    first.give_back()
    late.give_back()
    scene.ask("c1")
    assert scene.told[-1] == ("c1", True)


def test_a_seat_may_be_left_while_it_is_given(loop: asyncio.AbstractEventLoop) -> None:
    """A call that fails at once gives back before `ask` returns."""
    seats = Seats(loop, ClusterLimits(1, 0))
    tickets: list[Ticket] = []
    for _ in range(3):
        ticket = seats.claim("a", lambda _: tickets[-1].give_back())
        tickets.append(ticket)
        ticket.ask()
    told: list[bool] = []
    seats.claim("a", told.append).ask()
    assert told == [True]


def test_streams_are_counted_apart(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, 1, 2)
    scene.ask("a1")
    assert [scene.seats.take_stream("a") for _ in range(3)] == [True, True, False]
    scene.seats.give_stream("a")
    assert scene.seats.take_stream("b")


@pytest.mark.parametrize(
    ("containers", "limit", "share"), [(1, 4, 4), (2, 4, 3), (3, 4, 2), (9, 4, 1), (2, 1, 1)]
)
def test_nobody_takes_the_last_seats_while_there_are_others(
    loop: asyncio.AbstractEventLoop, containers: int, limit: int, share: int
) -> None:
    """However long it keeps them."""
    seats = Seats(loop, ClusterLimits(limit, limit), containers)
    told: list[bool] = []
    for _ in range(9):
        seats.claim("a", told.append).ask()
    assert len(told) == share
    assert sum(seats.take_stream("a") for _ in range(9)) == share
    if share < limit:
        seats.claim("b", told.append).ask()
        assert len(told) == share + 1
        assert seats.take_stream("b")


@pytest.mark.parametrize(("limit", "seated"), [(3, 3), (0, 5), (1, 1)])
def test_a_limit_that_grows_lets_in(
    loop: asyncio.AbstractEventLoop, limit: int, seated: int
) -> None:
    scene = Scene(loop, 1)
    for name in ("a1", "b1", "c1", "d1", "e1"):
        scene.ask(name)
    scene.seats.adopt(ClusterLimits(limit, 0))
    assert [name for name, _ in scene.told] == ["a1", "b1", "c1", "d1", "e1"][:seated]


def test_a_thousand_that_fail_at_once_do_not_nest(loop: asyncio.AbstractEventLoop) -> None:
    """A member that goes down under load: each call is seated, fails and gives its seat back."""
    seats = Seats(loop, ClusterLimits(1, 0))
    first = seats.claim("a", lambda seated: None)
    first.ask()
    told = 0

    claimed: list[Ticket] = []

    def fail(number: int, seated: bool) -> None:
        nonlocal told
        told += seated
        claimed[number].give_back()

    for number in range(1000):
        claimed.append(seats.claim(f"c{number % 7}", partial(fail, number)))
        claimed[number].ask()
    assert told == 0
    seats.dismiss()
    assert told == 1000
    first.give_back()
    again: list[bool] = []
    seats.claim("a", again.append).ask()
    seats.claim("a", again.append).ask()
    assert again == [True], "the limit holds as before"


def test_who_is_dismissed_counts_until_it_gives_back(loop: asyncio.AbstractEventLoop) -> None:
    scene = Scene(loop, 1)
    tickets = [scene.ask(name) for name in ("a1", "a2", "a3")]
    scene.seats.dismiss()
    assert len(scene.told) == 3
    late = scene.ask("b1")
    for ticket in tickets:
        assert len(scene.told) == 3
        ticket.give_back()
    assert scene.told[-1] == ("b1", True)
    late.give_back()
