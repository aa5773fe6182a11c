"""Workers of one part: what is theirs to do, what failures and bugs do to them, who leads."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from webhook.controller.engine.crew import Crew
from webhook.controller.engine.part import Follow, Part
from webhook.controller.engine.tally import EngineTally
from webhook.kube import KubeError
from webhook.watching.store import Change, Store


class Scene:
    """A store, a part that follows it, and what its workers did."""

    def __init__(self, reconcile: Callable[[str], float | None] | None = None, **part: Any) -> None:
        self.store: Store[str] = Store()
        self.done: list[str] = []
        self.registry = CollectorRegistry()
        self.leading = True
        self.asked_in_vain = 0

        def work(key: str) -> float | None:
            self.done.append(key)
            return reconcile(key) if reconcile else None

        keys = part.pop("keys", lambda change: (change.key,))
        made = Part("p", work, follows=(Follow(self.store, keys),), **part)
        self.crew = Crew(made, EngineTally(self.registry), self.leads)
        self.crew.start()

    def leads(self) -> bool:
        self.asked_in_vain += not self.leading
        return self.leading

    def wait_until_held_back(self) -> None:
        """Until a worker has taken a key and may not do it."""
        deadline = time.monotonic() + 10
        while not self.asked_in_vain:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def wait(self, done: list[str]) -> None:
        deadline = time.monotonic() + 10
        while self.done[: len(done)] != done:
            assert time.monotonic() < deadline, self.done
            time.sleep(0.005)

    def wait_for(self, number: int) -> None:
        """However they came to be done first."""
        deadline = time.monotonic() + 10
        while len(self.done) < number:
            assert time.monotonic() < deadline, self.done
            time.sleep(0.005)

    def errors(self, reason: str) -> float:
        labels = {"part": "p", "reason": reason}
        return (
            self.registry.get_sample_value("mca_controller_reconcile_errors_total", labels) or 0.0
        )


@pytest.fixture
def set_up() -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(*arguments: Any, **part: Any) -> Scene:
        scenes.append(Scene(*arguments, **part))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.crew._queue.close()


SetUp = Callable[..., Scene]


def test_who_begins_to_lead_does_everything_and_then_what_changes(set_up: SetUp) -> None:
    scene = set_up(seeds=("seed",))
    scene.store.replace({"a": "1", "b": "2"})
    assert scene.done == []
    scene.crew.lead()
    scene.wait(["a", "b", "seed"])
    scene.store.put("b", "3")
    scene.wait(["a", "b", "seed", "b"])


def test_who_begins_to_lead_forgets_first(set_up: SetUp) -> None:
    known = ["of an earlier term"]
    seen: list[list[str]] = []
    scene = set_up(lambda _: seen.append(list(known)), begin_term=known.clear)
    scene.store.put("a", "1")
    scene.crew.lead()
    scene.wait(["a"])
    assert seen == [[]]


def test_who_does_not_lead_does_nothing(set_up: SetUp) -> None:
    scene = set_up()
    scene.crew.lead()
    scene.crew.rest()
    scene.store.put("a", "1")
    scene.leading = False
    scene.crew.lead()  # and is told too late that it leads no more
    scene.wait_until_held_back()
    assert scene.done == []
    scene.leading = True
    scene.crew.lead()
    scene.wait(["a"])


def test_what_comes_while_the_lead_has_lapsed_for_a_moment_is_not_lost(set_up: SetUp) -> None:
    scene = set_up()
    scene.crew.lead()
    scene.leading = False
    scene.store.put("a", "1")
    scene.wait_until_held_back()
    assert scene.done == []
    scene.leading = True
    scene.wait(["a"])


def test_a_failure_is_tried_again_and_counted(set_up: SetUp) -> None:
    failures = [KubeError(409, "Conflict", "x"), KubeError(500, "", "y"), ValueError("z")]

    def fail(_: str) -> None:
        if failures:
            raise failures.pop(0)

    scene = set_up(fail)
    scene.store.put("a", "1")
    scene.crew.lead()
    scene.wait(["a"] * 4)
    assert [scene.errors(reason) for reason in ("conflict", "refused", "fault")] == [1, 1, 1]


def test_one_key_that_fails_holds_up_no_other(set_up: SetUp) -> None:
    def fail(key: str) -> None:
        if key == "bad":
            raise KubeError(503, "", "busy")

    scene = set_up(fail)
    scene.store.replace({"bad": "1", "good": "2"})
    scene.crew.lead()
    scene.wait(["bad", "good"])


def test_a_key_that_asks_for_it_comes_back(set_up: SetUp) -> None:
    scene = set_up(lambda _: 0.01)
    scene.store.put("a", "1")
    scene.crew.lead()
    scene.wait(["a", "a", "a"])


def test_a_key_that_stands_for_others_is_exchanged(set_up: SetUp) -> None:
    scene = set_up(expand=lambda key: ["x", "y"] if key == "both" else None)
    scene.store.put("both", "1")
    scene.crew.lead()
    scene.wait(["x", "y"])
    assert "both" not in scene.done


def test_one_group_does_not_hold_all_workers(set_up: SetUp) -> None:
    """Two of four stay for others, however many of its keys take long."""
    go_on = threading.Event()

    def work(key: str) -> None:
        if key.startswith("slow"):
            assert go_on.wait(10)

    scene = set_up(work, workers=4, group=lambda key: key.partition("-")[0])
    scene.crew.lead()
    scene.store.replace({f"slow-{number}": "1" for number in range(6)})
    scene.wait_for(2)
    for number in range(3):
        scene.store.put(f"quick-{number}", "1")
    scene.wait_for(5)
    assert sum(key.startswith("slow") for key in scene.done) == 2
    go_on.set()
    scene.wait_for(9)


def test_a_change_that_is_not_understood_blinds_nobody(set_up: SetUp) -> None:
    def choose(change: Change[str]) -> tuple[str, ...]:
        return (change.key,) if str(change.new) > "1" else (str(1 // 0),)

    scene = set_up(keys=choose)
    scene.crew.lead()
    scene.store.put("odd", "1")
    scene.store.put("even", "2")
    scene.wait(["even"])
    assert scene.errors("fault") == 1
