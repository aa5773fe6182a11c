"""One question is asked once, kept as long as its answer says, and a failure not at all."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from webhook.controller.broker.flights import Flights


class Asked:
    """Questions that wait for their answers."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Any]] = []

    def __call__(self) -> "asyncio.Future[Any]":
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


def keep(seconds: float) -> Callable[[object], float]:
    return lambda _: seconds


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_all_who_ask_get_the_same() -> None:
    now = [0.0]
    flights: Flights[str] = Flights(clock=lambda: now[0])
    asked = Asked()
    assert not flights.knows("q")
    waiting = [asyncio.ensure_future(flights.share("q", asked, keep(5))) for _ in range(10)]
    other = asyncio.ensure_future(flights.share("other", asked, keep(5)))
    await settle()
    assert len(asked.futures) == 2
    assert flights.knows("q")
    waiting[0].cancel()  # the others do not notice
    await settle()
    asked.futures[0].set_result("a")
    asked.futures[1].set_result("b")
    assert await asyncio.gather(*waiting[1:]) == ["a"] * 9
    assert await other == "b"
    now[0] = 4.9
    assert await flights.share("q", asked, keep(5)) == "a"
    assert len(asked.futures) == 2
    now[0] = 5.0
    assert not flights.knows("q")
    again = asyncio.ensure_future(flights.share("q", asked, keep(5)))
    await settle()
    asked.futures[2].set_result("c")
    assert await again == "c"
    flights.forget("q")
    flights.forget("never asked")
    assert not flights.knows("q")


async def test_a_failure_is_everybodys_and_nobodys_after() -> None:
    flights: Flights[str] = Flights()
    asked = Asked()
    waiting = [asyncio.ensure_future(flights.share("q", asked, keep(5))) for _ in range(2)]
    await settle()
    asked.futures[0].set_exception(ValueError("no"))
    for found in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(found, ValueError)
    assert len(flights) == 0
    waiting = [asyncio.ensure_future(flights.share("q", asked, keep(5)))]
    await settle()
    asked.futures[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert len(flights) == 0


async def test_there_is_an_end_to_what_is_kept() -> None:
    now = [0.0]
    flights: Flights[int] = Flights(most=2, clock=lambda: now[0])
    asked = Asked()

    async def ask(question: str, seconds: float) -> None:
        waiting = asyncio.ensure_future(flights.share(question, asked, keep(seconds)))
        await settle()
        asked.futures[-1].set_result(1)
        await waiting

    await ask("long", 100)
    await ask("short", 1)
    now[0] = 2.0
    await ask("third", 100)  # what is over goes first
    assert flights.knows("long")
    await ask("fourth", 100)  # then the oldest
    assert not flights.knows("long")
    assert flights.knows("third")
    pending = asyncio.ensure_future(flights.share("fifth", asked, keep(100)))
    await settle()
    failing = asked.futures[-1]
    await ask("sixth", 100)
    await ask("seventh", 100)  # the fifth is forgotten on its way, and answered
    assert not flights.knows("fifth")
    failing.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await pending
    assert flights.knows("seventh")
