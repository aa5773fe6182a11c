"""When a namespace is looked into, and for how long what was found is remembered."""

import json

import pytest

from sidecar.secret import Secret
from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.webhook.controller.tenants.examples import UID, make_tenant
from webhook.controller.access.opening import Bearer, Location, open_member
from webhook.controller.tenants.inspection import Inspection, list_touched, was_told
from webhook.controller.tenants.kinds import BINDING, QUOTA, Place, place_namespace
from webhook.controller.tenants.steps import Apply, Create, Plan, Remove, Write

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


def test_what_was_found_is_looked_at_until_it_is_gone() -> None:
    """A process that begins goes by the status; what cannot be looked at counts as found."""
    bob = {"kind": "User", "name": "bob"}
    binding = {
        "metadata": {"name": "theirs"},
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
        "subjects": [bob],
    }
    items, asked = [binding], []
    tenant = make_tenant(namespaces={"names": ["a"]})

    def run(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            asked.append(request)
            content = json.dumps({"items": items}).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
            connection.send(content)

    def count(plan: Plan, *, told: bool = False) -> tuple[int, int]:
        before = len(asked)
        report = inspection.attend("eu", kube, tenant, plan, told=told)
        assert report.problems == ()
        return len(asked) - before, len(report.people)

    with ScriptedServer(run) as server:
        kube = open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"a.b.c")))
        quiet = Plan(held=("a", "b"))
        inspection = Inspection()
        assert count(quiet) == (0, 0)
        assert count(quiet, told=True) == (2, 2)
        assert count(quiet) == (2, 2)
        items.clear()
        assert count(quiet) == (2, 0)
        assert count(quiet, told=True) == (0, 0)
        items.append(binding)
        assert count(Plan((TAKEN,), held=("a",))) == (1, 1)
        # One that is lost is nobody's to watch: of it only profiles are withdrawn.
        assert count(Plan(held=())) == (1, 0)
        assert count(quiet) == (0, 0)
        assert count(quiet._replace(writes=(TAKEN,))) == (1, 1)
        inspection.forget(UID)
        assert count(quiet) == (0, 0)
        kube.close()


def test_what_cannot_be_looked_at_is_told() -> None:
    with ScriptedServer(answer_all(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as server:
        kube = open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"a.b.c")))
        inspection, tenant = Inspection(), make_tenant(namespaces={"names": ["a"]})
        (problem,) = inspection.attend(
            "eu", kube, tenant, Plan((TAKEN,), held=("a",)), told=False
        ).problems
        assert "could not be looked at" in problem.message
        assert inspection.attend("eu", kube, tenant, Plan(held=("a",)), told=False).problems
        kube.close()
