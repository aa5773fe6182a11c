"""When a namespace is looked into, and for how long what was found is remembered."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.webhook.controller.tenants.examples import UID, make_namespace, make_tenant, see
from webhook.cli.cluster.home_objects import render_kubeconfig
from webhook.controller.tenants.inspection import (
    AGAIN_S,
    FIRST_S,
    TURN,
    Inspection,
    list_touched,
    was_told,
)
from webhook.controller.tenants.kinds import BINDING, QUOTA, Place, place_namespace
from webhook.controller.tenants.steps import Apply, Create, Plan, Remove, Write
from webhook.kube import Kube, open_kubeconfig, open_server
from webhook.resources.meta import Meta

PLACE = Place(BINDING, "a", "mca-profile-standard")
TAKEN = Apply(place_namespace("a"), {}, "")


@pytest.mark.parametrize(
    ("write", "touched"),
    [
        (TAKEN, True),
        (Remove(PLACE, "x"), True),
        (Apply(PLACE, {}, ""), True),
        (Apply(PLACE, {}, "", vacant=True), False),
        (Create(place_namespace("a"), {}), False),
        (Apply(Place(QUOTA, "a", "mca-quota"), {}, ""), False),
        (Remove(Place(QUOTA, "a", "mca-quota"), "x"), False),
    ],
)
def test_where_a_namespace_is_taken_or_access_withdrawn(write: Write, touched: bool) -> None:
    assert list_touched(Plan((write,))) == ({"a"} if touched else set())


@pytest.mark.parametrize(
    ("reason", "told"), [("OthersToo", True), ("OthersLetThrough", True), ("Provisioned", False)]
)
def test_a_status_tells_that_something_was_found(reason: str, told: bool) -> None:
    condition = {"type": "Access", "status": "True", "reason": reason}
    assert was_told({"status": {"conditions": [condition]}}) is told


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A server with the same RoleBindings in each namespace, and who was asked for which."""

    def __init__(self, kube: Kube, items: list[Any], asked: list[bytes]) -> None:
        self.kube, self.items, self.asked, self.clock = kube, items, asked, Clock()
        self.again_s = 0.0
        self.tenant = make_tenant(namespaces={"names": ["a"]})
        self.inspection = Inspection(self.clock)

    def look(self, plan: Plan, *metas: Meta, told: bool = False) -> tuple[int, int]:
        """How often it was asked, and how many people were found."""
        before = len(self.asked)
        seen = see(self.tenant, *metas)
        report = self.inspection.attend("eu", self.kube, self.tenant, seen, plan, told=told)
        assert report.problems == ()
        self.again_s = report.again_s
        return len(self.asked) - before, len(report.people)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    items: list[Any] = []
    asked: list[bytes] = []

    def run(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            asked.append(request.target)
            content = json.dumps({"items": items}).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
            connection.send(content)

    with ScriptedServer(run) as server:
        config = tmp_path / "kubeconfig"
        ca = base64.b64encode(server.authority.pem.encode()).decode()
        config.write_text(render_kubeconfig(server.url, ca, "a.b.c"))
        kube = open_kubeconfig(path=str(config))
        yield Scene(kube, items, asked)
        kube.close()


BINDING_OF_BOB = {
    "metadata": {"name": "theirs"},
    "roleRef": {"kind": "ClusterRole", "name": "edit"},
    "subjects": [{"kind": "User", "name": "bob"}],
}
QUIET = Plan(held=("a", "b"))


def test_what_was_found_is_looked_at_until_it_is_gone(scene: Scene) -> None:
    scene.items.append(BINDING_OF_BOB)
    assert scene.look(QUIET) == (0, 0)
    assert scene.look(Plan((TAKEN,), held=("a", "b"))) == (1, 1)
    assert scene.look(QUIET) == (1, 1)
    scene.items.clear()
    assert scene.look(QUIET) == (1, 0)
    assert scene.look(QUIET) == (0, 0)
    # One that is lost is nobody's to watch: of it only profiles are withdrawn.
    scene.items.append(BINDING_OF_BOB)
    assert scene.look(Plan((TAKEN,), held=())) == (1, 0)
    assert scene.look(QUIET) == (0, 0)


def test_a_term_begins_with_what_the_status_says(scene: Scene) -> None:
    scene.items.append(BINDING_OF_BOB)
    for _ in range(2):
        assert scene.look(QUIET, told=True) == (2, 2)
        assert scene.look(QUIET) == (2, 2)
        scene.inspection.begin_term()
    assert scene.look(QUIET) == (0, 0)
    scene.inspection.forget(UID)
    assert scene.look(QUIET, told=True) == (2, 2)


def test_all_are_looked_into_a_while_after_a_term_begins_and_each_hour(scene: Scene) -> None:
    many = Plan(held=tuple(f"n{number:02}" for number in range(TURN + 3)))
    assert scene.look(many) == (0, 0)
    assert FIRST_S <= scene.again_s < AGAIN_S
    scene.clock.now += scene.again_s - 1
    assert scene.look(many) == (0, 0)
    for _ in range(2):
        scene.clock.now += scene.again_s
        assert scene.look(many) == (TURN, 0)
        assert scene.again_s < 10
        assert scene.look(many) == (3, 0)
        assert scene.again_s == AGAIN_S


def test_what_passed_to_another_tenant_is_that_ones_affair(scene: Scene) -> None:
    plan = Plan((Remove(PLACE, "x"),))
    assert scene.look(plan, make_namespace("a", uid="another")) == (0, 0)
    assert scene.look(plan, make_namespace("a", uid="")) == (1, 0)
    assert scene.look(plan, make_namespace("a")) == (1, 0)


def test_what_cannot_be_looked_at_is_told() -> None:
    answer = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(answer_all(answer)) as server:
        kube = open_server(server.url, server.authority.pem)
        inspection, tenant = Inspection(), make_tenant(namespaces={"names": ["a"]})
        for plan in (Plan((TAKEN,), held=("a",)), Plan(held=("a",))):
            (problem,) = inspection.attend("eu", kube, tenant, {}, plan, told=False).problems
            assert "could be looked at" in problem.message
        kube.close()


def test_what_was_seen_until_it_is_too_much_is_withdrawn() -> None:
    """Whoever writes there may have filled it."""
    stray = {**BINDING_OF_BOB, "roleRef": {"kind": "ClusterRole", "name": "mca-profile-standard"}}
    first = json.dumps({"metadata": {"continue": "more"}, "items": [stray]}).encode()
    taken: list[bytes] = []

    def run(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.method == b"DELETE":
                taken.append(request.target)
            content = b"{}" if request.method == b"DELETE" else first
            if b"continue" in request.target:
                connection.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
                continue
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
            connection.send(content)

    with ScriptedServer(run) as server:
        kube = open_server(server.url, server.authority.pem)
        tenant, plan = make_tenant(namespaces={"names": ["a"]}), Plan((TAKEN,), held=("a",))
        (problem,) = Inspection().attend("eu", kube, tenant, {}, plan, told=False).problems
        assert "not all that others have put there could be looked at" in problem.message
        assert [target.rpartition(b"/")[2] for target in taken] == [b"theirs"]
        kube.close()
