"""Which key is next: once each, in turns, again after pauses."""

import threading

from webhook.controller.engine.queue import (
    CONFLICT_PAUSE_S,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Queue,
    Taken,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def open_queue() -> tuple[Queue, Clock]:
    clock = Clock()
    return Queue(lambda key: key.partition("/")[0], clock), clock


def take(queue: Queue) -> str:
    taken = queue.take()
    assert taken is not None
    return taken.key


def test_a_key_is_handed_out_once_however_often_it_came() -> None:
    queue, clock = open_queue()
    queue.add("a/1")
    clock.now += 2
    queue.add("a/1")
    assert len(queue) == 1
    assert queue.take() == Taken("a/1", 2.0)
    queue.close()
    assert queue.take() is None


def test_groups_take_turns() -> None:
    queue, _ = open_queue()
    for key in ("a/1", "a/2", "a/3", "b/1", "c/1", "c/2"):
        queue.add(key)
    assert [take(queue) for _ in range(6)] == ["a/1", "b/1", "c/1", "a/2", "c/2", "a/3"]


def test_one_group_goes_first() -> None:
    queue = Queue(lambda key: "" if key.startswith("all:") else key)
    for key in ("a", "b", "all:1", "all:2"):
        queue.add(key)
    assert [take(queue) for _ in range(4)] == ["all:1", "all:2", "a", "b"]


def test_no_group_has_more_in_work_than_it_may() -> None:
    queue = Queue(lambda key: key.partition("/")[0], most_of_group=2)
    for key in ("a/1", "a/2", "a/3", "b/1"):
        queue.add(key)
    assert [take(queue) for _ in range(3)] == ["a/1", "b/1", "a/2"]
    queue.add("a/2")  # which is in work, and waits for that as well
    queue.add("c/1")
    assert take(queue) == "c/1"
    queue.finish("a/1")
    assert take(queue) == "a/3"
    queue.fail("a/2")
    assert take(queue) == "a/2"
    assert len(queue) == 0


def test_the_first_group_may_have_all() -> None:
    queue = Queue(lambda _: "", most_of_group=1)
    queue.add("all:1")
    queue.add("all:2")
    assert [take(queue), take(queue)] == ["all:1", "all:2"]


def test_a_worker_that_waits_gets_what_its_group_held_back() -> None:
    """Who gives back may take nothing else: the one that sleeps has to be woken."""
    looked = threading.Event()

    def tell_time() -> float:
        looked.set()  # with the lock, which is let go of only to sleep
        return 0.0

    queue = Queue(lambda key: key.partition("/")[0], tell_time, most_of_group=1)
    for key in ("a/1", "a/2"):
        queue.add(key)
    assert take(queue) == "a/1"
    looked.clear()
    found: list[str] = []
    worker = threading.Thread(target=lambda: found.append(take(queue)), daemon=True)
    worker.start()
    assert looked.wait(10)
    queue.finish("a/1")
    worker.join(10)
    assert found == ["a/2"]


def test_a_key_whose_group_changes_while_it_waits_is_in_one_hand() -> None:
    groups = {"ns": "a", "other": "a"}
    queue = Queue(lambda key: groups[key])
    queue.add("ns")
    groups["ns"] = "b"
    queue.add("ns")
    queue.add("other")
    assert len(queue) == 2
    assert [take(queue), take(queue)] == ["ns", "other"]
    queue.finish("ns")
    queue.add("ns")  # from now on with those of its new group
    assert take(queue) == "ns"


def test_a_key_in_work_waits_until_it_is_given_back() -> None:
    queue, _ = open_queue()
    queue.add("a/1")
    take(queue)
    queue.add("a/1")
    assert len(queue) == 0  # nobody else may have it now
    queue.finish("a/1")
    assert take(queue) == "a/1"
    queue.finish("a/1")
    assert len(queue) == 0


def test_a_key_comes_back_when_it_asked_to() -> None:
    queue, clock = open_queue()
    queue.add("a/1")
    queue.finish(take(queue), 30.0)
    queue.add("b/1")
    assert take(queue) == "b/1"
    clock.now += 30
    assert take(queue) == "a/1"


def test_a_change_comes_before_the_time_asked_for() -> None:
    queue, clock = open_queue()
    queue.add("a/1")
    queue.finish(take(queue), 30.0)
    queue.add("a/1")
    queue.finish(take(queue))
    clock.now += 31
    queue.add("b/1")
    assert take(queue) == "b/1"
    assert len(queue) == 0


def fail_often(queue: Queue, clock: Clock, times: int, *, conflict: bool = False) -> list[float]:
    pauses = []
    queue.add("a/1")
    for _ in range(times):
        pauses.append(queue.fail(take(queue), conflict=conflict))
        clock.now += pauses[-1]
    return pauses


def test_pauses_grow_up_to_a_limit_and_are_spread_out() -> None:
    queue, clock = open_queue()
    pauses = fail_often(queue, clock, 14)
    for number, pause in enumerate(pauses):
        most = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**number)
        assert most / 2 <= pause <= most
    assert len(set(pauses)) == len(pauses)


def test_a_conflict_is_over_soon() -> None:
    queue, clock = open_queue()
    assert fail_often(queue, clock, 1, conflict=True)[0] <= CONFLICT_PAUSE_S
    assert fail_often(queue, clock, 12, conflict=True)[-1] > 10


def test_after_success_pauses_begin_anew() -> None:
    queue, clock = open_queue()
    fail_often(queue, clock, 8)
    queue.finish(take(queue))
    assert fail_often(queue, clock, 1)[0] <= FIRST_PAUSE_S


def test_a_change_ends_the_pause_of_who_failed_a_few_times() -> None:
    queue, clock = open_queue()
    fail_often(queue, clock, 2)
    queue.fail(take(queue))
    queue.add("a/1")
    assert take(queue) == "a/1"


def test_changes_do_not_hurry_what_fails_each_time() -> None:
    queue, clock = open_queue()
    fail_often(queue, clock, 10)
    queue.add("a/1")
    taken = take(queue)
    queue.add("a/1")  # its own failing write, say
    queue.fail(taken)
    queue.add("a/1")
    assert len(queue) == 0
    clock.now += 2.1
    assert take(queue) == "a/1"


def test_what_no_more_counts_is_thrown_away() -> None:
    queue, _ = open_queue()
    for _ in range(1000):
        queue.add("a/1")
        queue.finish(take(queue), 3600.0)
    assert len(queue._later) < 100


def test_a_worker_is_woken_by_a_key_by_time_and_by_the_end() -> None:
    queue = Queue(lambda _: "")
    taken: list[str | None] = []

    def work() -> None:
        while (found := queue.take()) is not None:
            taken.append(found.key)
            queue.finish(found.key, 0.05 if len(taken) == 1 else None)
            if len(taken) == 2:
                queue.close()

    worker = threading.Thread(target=work)
    worker.start()
    queue.add("a")
    worker.join(10)
    assert not worker.is_alive()
    assert taken == ["a", "a"]


def test_workers_that_wait_are_woken_for_the_soonest_time() -> None:
    """Only one of them looks at the clock; what is due sooner than it thought is not late."""
    queue = Queue(lambda _: "")
    done: list[str] = []
    finished = threading.Event()

    def work() -> None:
        while (found := queue.take()) is not None:
            first = found.key not in done
            done.append(found.key)
            queue.finish(found.key, {"late": 30.0, "soon": 0.05}[found.key] if first else None)
            if done.count("soon") == 2:
                finished.set()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    queue.add("late")
    while len(done) < 1:
        threading.Event().wait(0.001)
    queue.add("soon")
    assert finished.wait(10)
    queue.close()
    for worker in workers:
        worker.join(10)
    assert done == ["late", "soon", "soon"]
