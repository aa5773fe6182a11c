"""Owns threads for calls that block, so that the loop never does.

Must not hold the process up: they are daemons, and what hangs in one is left there.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """At most so many threads, begun when they are needed; what is more waits."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0

    def run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Do it; from the loop's thread. Who gives up does not end the work."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._busy += 1
        self._jobs.put(partial(self._do, loop, future, work))
        if self._threads < min(self._busy, self._most):
            self._threads += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def close(self) -> None:
        """Its threads end with what they are at."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _do(
        self,
        loop: asyncio.AbstractEventLoop,
        future: "asyncio.Future[T]",
        work: Callable[[], T],
    ) -> None:
        try:
            settle = partial(_succeed, future, work())
        except BaseException as failure:  # noqa: BLE001 - whoever waits gets it
            settle = partial(_fail, future, failure)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._settle, settle)

    def _settle(self, settle: Callable[[], None]) -> None:
        self._busy -= 1
        settle()


def _succeed(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", failure: BaseException) -> None:
    if not future.done():
        future.set_exception(failure)
