"""What is restored again and again is told once a minute, with how often it was."""

from webhook.controller.policies.restorations import Restorations


def test_the_first_is_told_and_then_one_each_minute() -> None:
    now = 0.0
    restorations = Restorations(lambda: now)
    assert restorations.count("a") == 1
    now = 59.9
    assert [restorations.count("a") for _ in range(3)] == [None] * 3
    assert restorations.count("b") == 1
    now = 60.0
    assert restorations.count("a") == 4
    assert restorations.count("a") is None
    now = 200.0
    assert restorations.count("a") == 2


def test_what_is_gone_is_forgotten() -> None:
    restorations = Restorations(lambda: 0.0)
    restorations.count("a")
    restorations.forget("a")
    assert restorations.count("a") == 1


def test_a_new_term_begins_anew() -> None:
    restorations = Restorations(lambda: 0.0)
    restorations.count("a")
    restorations.begin_term()
    assert restorations.count("a") == 1
