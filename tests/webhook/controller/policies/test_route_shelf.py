"""What is remembered of Routes, and which of those that were not kept whole are read again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_server import ScriptedServer, answer_all
from tests.webhook.controller.policies.lands import Land
from tests.webhook.resources.objects import make_condition, make_match, make_route
from webhook.controller.compiling.room import MAX_ROUTES
from webhook.controller.policies.route_shelf import KeptRoute, RouteShelf
from webhook.kube import KubeError, open_server
from webhook.resources.meta import Invalid, Meta
from webhook.resources.routes import Outline, Route, Size

# As large as it may be, in few words: eight of them fill a namespace's room.
WIDE = [make_match("a", names=[f"{number:03}{'x' * 247}" for number in range(64)])] * 8


@pytest.fixture
def land(tmp_path: Path) -> Land:
    return Land(tmp_path)


def put(shelf: RouteShelf, name: str, **spec: Any) -> KeptRoute:
    kept = shelf.keep(make_route(name, **spec))
    shelf.store.put(f"team-a/{name}", kept)
    return kept


def flood(shelf: RouteShelf, count: int = MAX_ROUTES) -> None:
    for number in range(count):
        put(shelf, f"r{number:03}")


def kinds(shelf: RouteShelf) -> dict[str, type]:
    return {kept.value.name: type(kept.value) for _, kept in shelf.list_kept("team-a")}


def test_nothing_is_kept_that_its_author_may_fill_with_words(land: Land) -> None:
    raw = make_route("r", priority=3)
    raw["metadata"] |= {
        "annotations": {"a": "x" * 250_000},
        "labels": {"a": "x"},
        "finalizers": ["a/b"],
        "managedFields": [{"fieldsV1": {}}],
        "resourceVersion": "7",
    }
    accepted = make_condition("Accepted")
    raw["status"] = {"conditions": [make_condition("Other"), accepted]}
    kept = land.shelf.keep(raw)
    meta = Meta("r", uid="uid-r", namespace="team-a", generation=1, resource_version="7")
    spec = raw["spec"]
    route = Route(meta, 3, tuple(spec["match"]), spec["to"])
    assert kept == KeptRoute(route, accepted)
    assert kept.document == {
        "metadata": {"resourceVersion": "7", "generation": 1},
        "status": {"conditions": [accepted]},
    }


def test_of_what_is_wrong_some_is_enough(land: Land) -> None:
    kept = put(land.shelf, "r", match=[make_match("Pods", "Secrets")] * 9)
    assert isinstance(kept.value, Invalid)
    assert len(kept.value.problems) == 5
    assert kept.document["status"] == {"conditions": []}


def test_beyond_what_can_count_there_is_a_line_of_each(land: Land) -> None:
    shelf = land.shelf
    flood(shelf)
    kept = put(shelf, "s", priority=7)
    assert kept.value == Outline(
        Meta("s", uid="uid-s", namespace="team-a", generation=1), 7, Size(2, 16)
    )
    assert isinstance(shelf.keep(make_route("s", namespace="team-b")).value, Route)
    # A change of one that is kept is no further one.
    assert isinstance(put(shelf, "r000", priority=1).value, Route)
    # One that goes, or cannot be taken any more, makes room.
    shelf.store.put("team-a/r000", None)
    assert isinstance(put(shelf, "s").value, Route)
    assert isinstance(put(shelf, "t").value, Outline)
    put(shelf, "r001", match=[make_match("Pods")])
    assert isinstance(put(shelf, "t").value, Route)


def test_large_ones_fill_it_too(land: Land) -> None:
    for number in range(9):
        put(land.shelf, f"r{number}", match=WIDE)
    found = kinds(land.shelf)
    assert [found[f"r{number}"] for number in range(9)] == [Route] * 7 + [Outline] * 2
    assert isinstance(put(land.shelf, "small").value, Route)


def test_where_all_are_whole_nothing_is_read(land: Land) -> None:
    """There is no server to be asked."""
    flood(land.shelf, 3)
    put(land.shelf, "bad", match=[make_match("Pods")])
    assert len(land.shelf.list_routes("team-a")) == 4
    assert land.shelf.list_routes("team-b") == []


def test_lines_that_do_not_count_are_not_read(land: Land) -> None:
    flood(land.shelf)
    put(land.shelf, "s")
    routes = land.shelf.list_routes("team-a")
    assert [route.name for route in routes if isinstance(route, Outline)] == ["s"]


def test_one_that_comes_to_count_is_asked_for(land: Land) -> None:
    flood(land.shelf)
    put(land.shelf, "s", priority=1)
    with pytest.raises(KubeError):
        land.shelf.list_routes("team-a")


def test_a_new_term_reads_again(tmp_path: Path) -> None:
    """What was read is let go of: Routes went meanwhile of which nothing was heard."""
    content = json.dumps(make_route("s", priority=1)).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    with ScriptedServer(answer_all(head + content)) as server:
        kube = open_server(server.url, server.authority.pem, token="t")
        shelf = Land(tmp_path, kube).shelf
        flood(shelf)
        put(shelf, "s", priority=1)
        for _ in range(2):
            shelf.list_routes("team-a")
        assert len(server.requests) == 1
        shelf.begin_term()
        shelf.list_routes("team-a")
        assert len(server.requests) == 2
        kube.close()
