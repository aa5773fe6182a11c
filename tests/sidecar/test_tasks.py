import asyncio
import gc
import json

import pytest

from sidecar import tasks
from sidecar.tasks import cancel_all, spawn


async def test_a_task_is_held_until_it_ends() -> None:
    """The loop holds tasks weakly: one that only waits for itself would be collected."""
    done: list[str] = []
    waiting: list[asyncio.Future[None]] = []

    async def work() -> None:
        waiting.append(asyncio.get_running_loop().create_future())
        await waiting[0]
        done.append("done")

    spawn(work(), "work")
    await asyncio.sleep(0)
    gc.collect()
    assert {task.get_name() for task in tasks._running} == {"work"}
    waiting[0].set_result(None)
    await asyncio.sleep(0.01)
    assert done == ["done"]
    assert not tasks._running


async def test_a_failure_is_logged_without_its_text(capfd: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        raise ValueError("may hold a secret")

    spawn(work(), "judge")
    await asyncio.sleep(0.01)
    line = json.loads(capfd.readouterr().out)
    assert (line["level"], line["event"]) == ("error", "task_failed")
    assert (line["task"], line["error"]) == ("judge", "ValueError")
    assert "secret" not in str(line)
    assert not tasks._running


async def test_a_cancelled_task_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    spawn(asyncio.sleep(60), "sleep")
    await asyncio.sleep(0)
    (task,) = tasks._running
    task.cancel()
    await asyncio.sleep(0.01)
    assert capfd.readouterr().out == ""
    assert not tasks._running


async def test_at_the_end_of_the_process_none_goes_on() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    for name in ("a", "b"):
        spawn(work(name), name)
    await asyncio.sleep(0)
    cancel_all()
    await asyncio.sleep(0.01)
    assert sorted(ended) == ["a", "b"]
    assert not tasks._running
