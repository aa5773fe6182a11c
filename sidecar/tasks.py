"""Owns work beside the calls: background tasks, which the loop holds weakly, and threads.

Must not swallow a failure: what a task raises is logged, never lost.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
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


async def aside(work: Callable[[], T]) -> T:
    """Do it in a thread; here, if there can be none.

    The interpreter's lock changes hands every half millisecond meanwhile, not every five: calls
    wait for it.
    """
    _Aside.count += 1
    sys.setswitchinterval(_SLICE_S)
    try:
        try:
            task = asyncio.get_running_loop().run_in_executor(None, work)
        except RuntimeError:  # no thread can be started
            return work()
        return await task
    finally:
        _Aside.count -= 1
        if not _Aside.count:
            sys.setswitchinterval(_USUAL_S)


class _Aside:
    """How much is under way in threads."""

    count = 0
