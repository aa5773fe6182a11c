"""Whatever a member answers is told of that member, and others are gone on with."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sidecar.secret import Secret
from tests.scripted_server import Connection, ScriptedServer
from tests.webhook.controller.tenants.examples import FULL, UID, make_tenant
from webhook.controller.access.opening import Bearer, Location, open_member
from webhook.controller.engine.settings import ControllerSettings
from webhook.controller.engine.world import Kept, World
from webhook.controller.tenants.abroad import Abroad
from webhook.controller.tenants.inspection import Inspection
from webhook.controller.tenants.rests import Rests
from webhook.kube import Kube, KubeError, open_server
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import CREATED_BY, LABEL_TENANT, TENANT_UID

MARKS = {
    "labels": {LABEL_TENANT: "acme"},
    "annotations": {CREATED_BY: UID, TENANT_UID: UID},
}
# Something of every kind, as an item of every list.
ITEM = {
    "metadata": {"name": "acme-a", "namespace": "acme-a", "uid": "x", **MARKS},
    "spec": {
        "hard": {"cpu": "1"},
        "limits": [{"type": "Container", "max": {"cpu": "1"}}],
        "egress": [{"to": [{}], "ports": [{"port": 443}]}],
    },
    "roleRef": {"kind": "ClusterRole", "name": "mca-profile-standard"},
    "subjects": [{"kind": "User", "name": "bob"}],
    "endpoints": [{"addresses": ["10.0.0.1"]}],
    "ports": [{"port": 6443}],
}
LIST = {"metadata": {"continue": ""}, "items": [ITEM], "endpoints": [], "ports": []}
REFUSAL = {
    "kind": "Status",
    "reason": "Conflict",
    "message": "no",
    "details": {"causes": [{"field": ".spec"}]},
}
ODD = ("1e9999999", [5])


def spoil(document: Any) -> Iterator[Any]:
    """The document with each of its parts in turn replaced by something else."""
    if isinstance(document, dict):
        for key, value in document.items():
            for other in (*ODD, *spoil(value)):
                yield {**document, key: other}
    elif isinstance(document, list):
        for place, value in enumerate(document):
            for other in spoil(value):
                yield [*document[:place], other, *document[place + 1 :]]


class Member:
    """Answers reads by one document, and refuses writes by another."""

    def __init__(self) -> None:
        self.found: bytes = b""
        self.refusal: bytes = b""

    def run(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            reads = request.method == b"GET"
            content = self.found if reads else self.refusal
            head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n"
            connection.send(head % (b"200 OK" if reads else b"409 Conflict", len(content)))
            connection.send(content)

    def say(self, found: Any, refusal: Any) -> None:
        self.found, self.refusal = json.dumps(found).encode(), json.dumps(refusal).encode()


@pytest.fixture(scope="module")
def member() -> Member:
    return Member()


@pytest.fixture(scope="module")
def abroad(member: Member) -> Iterator[Abroad]:
    with ScriptedServer(member.run) as server:
        kube = open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"a.b.c")))
        world = World(
            open_server(server.url, server.authority.pem),
            ControllerSettings(),
            CollectorRegistry(),
            lambda: True,
        )

        def visit(name: str) -> Kube:
            if name == "closed":
                raise KubeError(0, "", "is not opened here")
            return copy.copy(kube)

        for name in ("closed", "odd"):
            world.clusters.put(name, Kept({}, Invalid(Meta(name), ())))
        yield Abroad(world, visit, lambda _: (), Rests(), Inspection())
        kube.close()


TENANT = make_tenant(**FULL)
DEEP = b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def work(abroad: Abroad) -> None:
    for problems in (
        abroad.provision(TENANT, ["closed", "odd"], told=True),
        abroad.leave(TENANT.meta, ["odd"], delete=True),
    ):
        assert all(len(problem.message) < 5_000 for problem in problems)


def test_no_answer_of_a_member_ends_what_is_done_for_others(abroad: Abroad, member: Member) -> None:
    for found in (LIST, *spoil(LIST)):
        member.say(found, REFUSAL)
        work(abroad)
        abroad.rests.forget("odd")
        abroad.inspection.forget(UID)
    member.found = DEEP
    work(abroad)
    abroad.rests.forget("odd")
    for refusal in spoil(REFUSAL):
        member.say({"items": []}, refusal)
        work(abroad)
        abroad.rests.forget("odd")


def test_what_cannot_be_read_is_told_and_the_member_rests(abroad: Abroad, member: Member) -> None:
    member.found = b'{"items": ['
    (closed, odd) = abroad.provision(TENANT, ["closed", "odd"], told=False)
    assert closed.message == "closed: is not opened here"
    assert "the answer is no JSON object" in odd.message
    abroad.rests.forget("odd")


def test_a_bug_in_reading_it_counts_as_its_failure(abroad: Abroad, member: Member) -> None:
    """It ends neither what is done on others, nor what is told."""
    member.say({"items": []}, REFUSAL)

    def stumble(_: object) -> tuple[str, ...]:
        raise ZeroDivisionError("secret")

    clumsy = abroad._replace(servers=stumble)
    (odd, closed) = clumsy.provision(TENANT, ["odd", "closed"], told=False)
    assert odd.reason == "OddAnswer"
    assert "ZeroDivisionError at test_abroad.py" in odd.message
    assert "secret" not in odd.message
    assert closed.message == "closed: is not opened here"
    (odd,) = clumsy.provision(TENANT, ["odd"], told=False)
    assert odd.reason == "Resting"
    abroad.rests.forget("odd")
