"""The order of turns, and that none is lost."""

import asyncio
from collections.abc import Sequence

from webhook.serving.turns import Turns


async def line_up(
    turns: Turns, names: Sequence[str], *, rounds: int = 3
) -> tuple[list[str], list[asyncio.Task[None]]]:
    """Everybody in this order; who had a turn is written down."""
    had: list[str] = []

    async def work(name: str) -> None:
        async with turns.take("peer", name[0]):
            had.append(name)
            for _ in range(rounds):
                await asyncio.sleep(0)

    tasks = [asyncio.ensure_future(work(name)) for name in names]
    await asyncio.sleep(0)
    return had, tasks


async def test_namespaces_come_in_turns_however_many_wait_in_each() -> None:
    had, tasks = await line_up(Turns(), ["a1", "a2", "a3", "a4", "b1", "c1", "c2"])
    await asyncio.gather(*tasks)
    assert had == ["a1", "a2", "b1", "c1", "a3", "c2", "a4"]


async def test_peers_come_in_turns_whatever_they_say_of_namespaces() -> None:
    turns = Turns()
    had: list[str] = []

    async def work(peer: str, namespace: str) -> None:
        async with turns.take(peer, namespace):
            had.append(peer)
            await asyncio.sleep(0)

    liars = [work("liar", f"n{number}") for number in range(5)]
    await asyncio.gather(*liars, work("honest", "a"), work("honest", "a"))
    assert had == ["liar", "liar", "honest", "liar", "honest", "liar", "liar"]


async def test_one_at_a_time() -> None:
    turns, busy = Turns(), 0

    async def work(name: str) -> None:
        nonlocal busy
        async with turns.take("peer", name):
            busy += 1
            assert busy == 1
            await asyncio.sleep(0)
            busy -= 1

    await asyncio.gather(*(work(name) for name in "abab" * 20))
    assert busy == 0


async def test_who_comes_in_the_same_round_waits_for_its_turn() -> None:
    """Even if nobody holds it any more: others may come in between."""
    had, tasks = await line_up(Turns(), ["a1", "a2", "a3", "b1"], rounds=0)
    assert had == ["a1"]
    await asyncio.gather(*tasks)
    assert had == ["a1", "a2", "b1", "a3"]


async def test_as_many_at_once_as_there_are_turns() -> None:
    turns = Turns(2)
    had, tasks = await line_up(turns, ["a1", "a2", "a3", "a4", "b1"])
    assert had == ["a1", "a2"]
    await asyncio.gather(*tasks)
    assert had == ["a1", "a2", "a3", "b1", "a4"]
    had, tasks = await line_up(turns, ["a1", "a2", "a3"])
    assert had == ["a1", "a2"]
    await asyncio.gather(*tasks)


async def test_who_gives_up_is_passed_over() -> None:
    had, tasks = await line_up(Turns(), ["a1", "a2", "b1", "a3"])
    tasks[1].cancel()
    await asyncio.wait(tasks, timeout=5)
    assert had == ["a1", "b1", "a3"]


async def test_a_turn_that_comes_as_its_owner_gives_up_goes_on() -> None:
    turns = Turns()
    had, tasks = await line_up(turns, ["a1", "b1", "c1"], rounds=0)
    await asyncio.sleep(0)  # passed on to b1, which has not run since
    tasks[1].cancel()
    await asyncio.wait(tasks, timeout=5)
    assert had == ["a1", "c1"]
    assert tasks[1].cancelled()


async def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns()

    async def fail() -> None:
        async with turns.take("peer", "a"):
            raise ValueError("as it may be")

    async with asyncio.timeout(5):
        assert [type(failed) for failed in await asyncio.gather(
            fail(), fail(), return_exceptions=True
        )] == [ValueError, ValueError]  # fmt: skip
