"""Which changes of a Route are news: what was written to its status here is none."""

from pathlib import Path

import pytest

from tests.webhook.controller.policies.lands import Land
from webhook.controller.compiling.verdicts import TAKEN
from webhook.controller.policies.route_status import RouteStatus

SAID = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}


@pytest.fixture
def heard(tmp_path: Path) -> tuple[Land, RouteStatus, list[bool]]:
    land = Land(tmp_path)
    status, news = RouteStatus(land.world, land.shelf), list[bool]()
    land.shelf.store.listen(lambda change: news.append(status.concerns(change)))
    return land, status, news


def test_new_ones_other_specs_and_those_that_go(
    heard: tuple[Land, RouteStatus, list[bool]],
) -> None:
    land, _, news = heard
    land.route("n", "r")
    land.route("n", "r", "eu", version=2)
    land.shelf.store.put("n/r", None)
    assert news == [True, True, True]


def test_a_status_is_news_only_where_it_says_something_else(
    heard: tuple[Land, RouteStatus, list[bool]],
) -> None:
    land, status, news = heard
    land.route("n", "r", conditions=[SAID])
    status.tell("n", {"r": TAKEN})  # which it says already
    news.clear()
    land.route("n", "r", version=2, conditions=[SAID])
    land.route("n", "r", version=3, conditions=[{**SAID, "status": "False"}])
    land.route("n", "r", version=4, conditions=[])
    assert news == [False, True, True]


def test_what_was_not_judged_yet_is_left_alone(
    heard: tuple[Land, RouteStatus, list[bool]],
) -> None:
    land, status, _ = heard
    land.route("n", "r")
    assert status.tell("n", {}) is None
