"""Owns the threads that work on one part's keys, while this replica leads.

Must not end by a failure, whatever it is: the key is done again later. One bad object must not hold
up others.
"""

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from sidecar.log import Level, log_event
from webhook.controller.engine.part import Follow, Part
from webhook.controller.engine.queue import Queue
from webhook.controller.engine.tally import EngineTally
from webhook.kube import KubeError
from webhook.serving.faults import locate_fault
from webhook.watching.store import Change

_CONFLICT: Final = 409
_BUSY: Final = (429, 503, 504)
# What fails for the first time may be a matter of order; people are told of what stays.
_TOLD_AFTER_S: Final = 2.0
_LEAD_AGAIN_S: Final = 1.0


class Crew:
    """One part's queue and its workers. It takes keys from the start, and works once it is let."""

    def __init__(self, part: Part, tally: EngineTally, leads: Callable[[], bool]) -> None:
        self._part = part
        self._tally = tally
        self._leads = leads
        # What is slow for one group leaves workers to the others.
        self._queue = Queue(part.group, most_of_group=max(1, part.workers // 2))
        self._working = threading.Event()
        self._told: dict[str, str] = {}
        tally.measure_depth(part.name, lambda: len(self._queue))
        for follow in part.follows:
            follow.store.listen(partial(self._hear, follow))

    def start(self) -> None:
        """Begin to look for work; there is none before `lead`."""
        for number in range(self._part.workers):
            name = f"{self._part.name}-{number}"
            threading.Thread(target=self._run, name=name, daemon=True).start()

    def lead(self) -> None:
        """Everything may have changed while others led: all there is goes into the queue."""
        self._part.begin_term()
        self._working.set()
        for follow in self._part.follows:
            for key, value in follow.store.items():
                self._hear(follow, Change(key, None, value))
        self._add(self._part.seeds)

    def rest(self) -> None:
        """Take no more keys; another replica works on them."""
        self._working.clear()

    def _hear(self, follow: Follow[Any], change: Change[Any]) -> None:
        """In the reflector's thread, which must not suffer by it."""
        if not self._working.is_set():
            return
        try:
            self._add(follow.keys(change))
        except Exception as error:  # noqa: BLE001 - else one odd object would blind the store
            self._tally.count_error(self._part.name, "fault")
            log_event("error", "change_not_understood", key=change.key, problem=locate_fault(error))

    def _add(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._queue.add(key)

    def _run(self) -> None:
        while True:
            self._working.wait()
            taken = self._queue.take()
            if taken is None:
                return
            if not self._leads():
                # Whoever leads next begins with everything; it may be this one, in a moment.
                self._queue.finish(taken.key, _LEAD_AGAIN_S if self._working.is_set() else None)
                continue
            began = time.monotonic()
            self._work(taken.key)
            self._tally.count_work(self._part.name, taken.waited_s, time.monotonic() - began)

    def _work(self, key: str) -> None:
        try:
            others = self._part.expand(key)
            if others is not None:
                self._add(others)
                self._queue.finish(key)
                return
            again_s = self._part.reconcile(key)
        except KubeError as error:
            reason = name_failure(error)
            self._postpone(key, reason, str(error), level="warning")
        except Exception as error:  # noqa: BLE001 - a worker must outlive a bug, and tell where it is
            self._postpone(key, "fault", locate_fault(error), level="error")
        else:
            self._told.pop(key, None)
            self._queue.finish(key, again_s)

    def _postpone(self, key: str, reason: str, problem: str, *, level: Level) -> None:
        pause = self._queue.fail(key, conflict=reason == "conflict")
        self._tally.count_error(self._part.name, reason)
        told = reason == "fault" or pause > _TOLD_AFTER_S
        if told and reason != "leader" and self._told.get(key) != problem:
            self._told[key] = problem
            log_event(level, "work_postponed", part=self._part.name, key=key, problem=problem)


def name_failure(error: KubeError) -> str:
    """One of a closed set, for metrics and pauses."""
    if error.reason == "NotLeading":
        return "leader"
    if error.status == _CONFLICT:
        return "conflict"
    if error.status in _BUSY:
        return "busy"
    return "refused" if error.status else "unanswered"
