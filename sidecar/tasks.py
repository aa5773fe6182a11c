"""Owns background tasks: the loop holds tasks weakly, so they are kept here until done.

Must not swallow a failure: what a task raises is logged, never lost.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from sidecar.log import log_event

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
