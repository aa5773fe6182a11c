"""Owns work beside the calls: background tasks, which the loop holds weakly, and threads.

Must not swallow a failure: what a task raises is logged, never lost.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from sidecar.log import log_event

T = TypeVar("T")
_SLICE_S = 0.0005
_USUAL_S = sys.getswitchinterval()
_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, None], name: str) -> None:
    """Run `work` in the background and hold on to it until it ends."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_ended)


def cancel_all() -> None:
    """The process ends: nobody waits for them any more."""
    for task in list(_running):
        task.cancel()


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (failure := task.exception()) is not None:
        log_event("error", "task_failed", task=task.get_name(), error=type(failure).__name__)


def in_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Do it in a thread of its own; RuntimeError where there can be none.

    A pool's threads could all be held by names that do not resolve, and the end of the process
    would wait for them.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as failure:  # noqa: BLE001 - whoever waits gets it
            settle = partial(_fail, future, failure)
        else:
            settle = partial(_succeed, future, result)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, daemon=True).start()
    return future


def _succeed(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[T]", failure: BaseException) -> None:
    if not future.done():
        future.set_exception(failure)


async def aside(work: Callable[[], T]) -> T:
    """Do it in a thread; here, if there can be none.

    The interpreter's lock changes hands every half millisecond meanwhile, not every five: calls
    wait for it.
    """
    _Aside.count += 1
    sys.setswitchinterval(_SLICE_S)
    try:
        try:
            done = in_thread(work)
        except RuntimeError:  # no thread can be started
            return work()
        return await done
    finally:
        _Aside.count -= 1
        if not _Aside.count:
            sys.setswitchinterval(_USUAL_S)


class _Aside:
    """How much is under way in threads."""

    count = 0
