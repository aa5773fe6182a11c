"""Routes are read, and refused with the field and the reason, in the snapshot's own words."""

from typing import Any

import pytest

from tests.webhook.resources.objects import make_match, make_route
from webhook.resources.meta import Invalid
from webhook.resources.routes import Route, parse_route


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
