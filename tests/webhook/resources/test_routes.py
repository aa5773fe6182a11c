"""Routes are read, and refused with the field and the reason, in the snapshot's own words."""

from typing import Any

import pytest

from tests.webhook.resources.objects import make_match, make_route
from webhook.resources.meta import Invalid
from webhook.resources.routes import (
    AROUND_WORD,
    MAX_LETTERS,
    Route,
    Size,
    measure,
    parse_route,
)


def test_a_route() -> None:
    route = parse_route(make_route(priority=5, stand_ins=("eu-2", "eu-3")))
    assert isinstance(route, Route)
    assert (route.name, route.priority) == ("dev", 5)
    assert route.match == (make_match("configmaps"),)
    assert route.clusters == ("eu-1", "eu-2", "eu-3")


def test_without_a_priority() -> None:
    raw = make_route()
    del raw["spec"]["priority"]
    route = parse_route(raw)
    assert isinstance(route, Route)
    assert route.priority == 0


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (make_route("a.b"), "metadata.name: must be a DNS-1123 label"),
        (make_route(priority=-1), "spec.priority: must be a whole number from 0 to 999"),
        (make_route(priority=1000), "spec.priority: must be a whole number from 0 to 999"),
        (make_route(priority=True), "spec.priority: must be a whole number from 0 to 999"),
        (make_route(priority="5"), "spec.priority: must be a whole number from 0 to 999"),
        (make_route(match=[]), "spec.match: must be a list of 1 to"),
        (make_route(match=[make_match("Pods")]), "spec.match[0].resources[0]: must be a plural"),
        (make_route(match=[make_match("leases", groups=("*",))]), "spec.match[0]: would split"),
        (make_route(stand_ins=("eu-1",)), "spec.to.standIns[0]: 'eu-1' cannot stand in"),
        ({"metadata": {"name": "a"}, "spec": {"other": 1}}, "spec.other: is not a field"),
        ({"metadata": {"name": "a"}}, "spec.match: is missing"),
    ],
)
def test_what_is_wrong(raw: Any, told: str) -> None:
    invalid = parse_route(raw)
    assert isinstance(invalid, Invalid)
    assert told in "\n".join(invalid.problems)


def test_several_members_are_for_later() -> None:
    raw = make_route()
    raw["spec"]["to"]["members"].append({"cluster": "eu-2"})
    invalid = parse_route(raw)
    assert isinstance(invalid, Invalid)
    assert invalid.problems == (
        "spec.to.members: a route over several members is served by a later version of the "
        "sidecar: name one",
    )


@pytest.mark.parametrize("more", [0, 1])
def test_its_lists_hold_no_more_than_so_much(more: int) -> None:
    """A word counts as much as it takes as text, so many short ones are not free."""
    names = [f"{number:03}{'x' * 247}" for number in range(64)]
    match = [make_match("a", names=names)] * 8 + [make_match("a", names=names[:5])]
    assert measure(match) == Size(8 * 66 + 7, 8 * (64 * 253 + 7) + 5 * 253 + 7)
    spare = MAX_LETTERS - measure(match).letters - AROUND_WORD
    match[-1]["names"].append("y" * (spare + more))
    route = parse_route(make_route(match=match))
    if more:
        assert isinstance(route, Invalid)
        assert "spec.match: its lists hold 131073 letters" in route.problems[0]
        assert "make several Routes" in route.problems[0]
    else:
        assert isinstance(route, Route)
        assert route.size == Size(8 * 66 + 8, MAX_LETTERS)
