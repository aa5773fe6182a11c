import asyncio
import gc
import json
import subprocess
import sys
import threading
import time

import pytest

from sidecar import tasks
from sidecar.tasks import aside, cancel_all, in_thread, spawn


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


async def test_threads_bring_results_and_failures() -> None:
    assert await in_thread(lambda: threading.current_thread() is threading.main_thread()) is False
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)


async def test_threads_that_hang_keep_nobody_waiting() -> None:
    """Not other work, however many there are, and not whoever gave up waiting for them."""
    let_go = threading.Event()
    hanging = [in_thread(let_go.wait) for _ in range(40)]
    assert await asyncio.wait_for(aside(lambda: 7), 5) == 7
    hanging[0].cancel()
    let_go.set()
    assert await asyncio.wait_for(asyncio.gather(*hanging[1:]), 5) == [True] * 39


def test_threads_that_hang_do_not_hold_up_the_end() -> None:
    code = """
import asyncio, time
from sidecar.tasks import in_thread
async def main():
    in_thread(lambda: time.sleep(60))
asyncio.run(main())
"""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert time.monotonic() - began < 20


async def test_the_interpreter_switches_as_usual_once_all_work_aside_is_done() -> None:
    usual = sys.getswitchinterval()
    first, second = threading.Event(), threading.Event()
    one = asyncio.ensure_future(aside(first.wait))
    await asyncio.sleep(0.01)
    other = asyncio.ensure_future(aside(second.wait))
    await asyncio.sleep(0.01)
    assert sys.getswitchinterval() < usual
    first.set()
    await one
    assert sys.getswitchinterval() < usual
    second.set()
    await other
    assert sys.getswitchinterval() == usual


async def test_without_threads_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert await aside(threading.get_ident) == threading.get_ident()
