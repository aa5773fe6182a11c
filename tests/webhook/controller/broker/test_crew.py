"""Threads do what blocks: no more than so many, and none outlives its crew."""

import asyncio
import threading
import time
from functools import partial

import pytest

from webhook.controller.broker.crew import Crew


def count(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


async def test_at_most_so_many_work_at_once() -> None:
    crew = Crew("few", 2)
    held = threading.Event()
    begun = threading.Semaphore(0)

    def work() -> int:
        begun.release()
        held.wait(10)
        return threading.get_ident()

    futures = [crew.run(work) for _ in range(5)]
    for _ in range(2):
        assert await asyncio.to_thread(begun.acquire, timeout=5)
    assert count("few") == 2
    futures[4].cancel()  # who gives up does not end the work
    held.set()
    assert len(set(await asyncio.gather(*futures[:4]))) <= 2
    crew.close()
    deadline = time.monotonic() + 5
    while count("few"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_one_thread_is_enough_for_one_after_the_other() -> None:
    crew = Crew("single", 8)
    for number in range(5):
        assert await crew.run(partial(abs, -number)) == number
    assert count("single") == 1
    crew.close()


async def test_what_goes_wrong_is_told() -> None:
    crew = Crew("failing", 1)
    waiting = crew.run(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await waiting
    given_up = crew.run(lambda: 1 // 0)
    given_up.cancel()
    assert await crew.run(lambda: 2) == 2
    crew.close()
