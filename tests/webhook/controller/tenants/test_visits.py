"""A Tenant that is as it was is not visited on its members as often as it is woken."""

from webhook.controller.tenants.kinds import Step
from webhook.controller.tenants.steps import Problem
from webhook.controller.tenants.visits import RETURN_S, Visits

PROBLEM = Problem(Step.QUOTA, "a", "No", "no")


def test_visits_come_at_most_so_often_but_at_once_for_what_is_new() -> None:
    now, made = [1000.0], []

    def work() -> list[Problem]:
        made.append(now[0])
        return [PROBLEM]

    visits = Visits(lambda: now[0])
    assert visits.attend("u", (1,), work) == ([PROBLEM], None)
    now[0] += RETURN_S / 2
    assert visits.attend("u", (1,), work) == ([PROBLEM], RETURN_S / 2)
    assert len(made) == 1
    assert visits.attend("other", (1,), work)[1] is None
    assert visits.attend("u", (2,), work)[1] is None
    now[0] += RETURN_S
    assert visits.attend("u", (2,), work)[1] is None
    assert len(made) == 4
    visits.forget("u")
    visits.forget("never-heard-of")
    assert visits.attend("u", (2,), work)[1] is None
    visits.begin_term()
    assert visits.attend("u", (2,), work)[1] is None
