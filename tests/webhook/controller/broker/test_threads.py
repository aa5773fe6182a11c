"""Threads do what blocks: no more than so many, and they end when told."""

import asyncio
import threading
import time
from functools import partial

import pytest

from webhook.controller.broker.threads import Threads


def count(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


async def test_at_most_so_many_work_at_once() -> None:
    threads = Threads("few", 2)
    held = threading.Event()
    begun = threading.Semaphore(0)

    def work() -> int:
        begun.release()
        held.wait(10)
        return threading.get_ident()

    futures = [threads.run(work) for _ in range(5)]
    for _ in range(2):
        assert await asyncio.to_thread(begun.acquire, timeout=5)
    assert count("few") == 2
    futures[4].cancel()  # who gives up does not end the work
    held.set()
    assert len(set(await asyncio.gather(*futures[:4]))) <= 2
    threads.close()
    deadline = time.monotonic() + 5
    while count("few"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_one_thread_is_enough_for_one_after_the_other() -> None:
    threads = Threads("single", 8)
    for number in range(5):
        assert await threads.run(partial(abs, -number)) == number
    assert count("single") == 1
    threads.close()


async def test_what_goes_wrong_is_told() -> None:
    threads = Threads("failing", 1)
    waiting = threads.run(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await waiting
    given_up = threads.run(lambda: 1 // 0)
    given_up.cancel()
    assert await threads.run(lambda: 2) == 2
    threads.close()
