"""What is asked of an API server while a tenant leaves it: little, for it may take long."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.secret import Secret
from tests.scripted_server import Connection, ScriptedServer
from tests.webhook.controller.tenants.examples import UID, make_tenant
from webhook.controller.access.opening import Bearer, Location, open_member
from webhook.controller.tenants.kinds import BINDING, KINDS, NETWORK, QUOTA
from webhook.controller.tenants.leaving import look_at_leave
from webhook.kube import Kube
from webhook.resources.names import CREATED_BY, LABEL_TENANT, NAMESPACES_PATH, TENANT_UID

META = make_tenant().meta
OTHERS = {kind for kind in KINDS if kind != BINDING}


class Cluster:
    """Answers lists by their path, and remembers for what it was asked."""

    def __init__(self) -> None:
        self.items: dict[str, list[Any]] = {}
        self.asked: list[str] = []

    def run(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            path = request.target.decode().partition("?")[0]
            self.asked.append(path)
            content = json.dumps({"items": self.items.get(path, [])}).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
            connection.send(content)

    def hold(self, *names: str, made: bool) -> None:
        """Namespaces that are the tenant's."""
        annotations = {TENANT_UID: UID} | ({CREATED_BY: UID} if made else {})
        labels = {LABEL_TENANT: "acme"}
        self.items.setdefault(NAMESPACES_PATH, []).extend(
            {"metadata": {"name": name, "labels": labels, "annotations": annotations}}
            for name in names
        )


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    with ScriptedServer(cluster.run) as server:
        kube = open_member(Location(server.url, server.authority.pem), Bearer(Secret(b"a.b.c")))
        yield kube
        kube.close()


def look(kube: Kube, *, delete: bool) -> list[str]:
    leave = look_at_leave(kube, META, (), delete=delete, system_namespace="mca-system")
    return [write.place.shown for write in leave.writes]


def make(name: str) -> Any:
    metadata = {"name": name, "namespace": "a", "labels": {LABEL_TENANT: "acme"}}
    return {"metadata": {**metadata, "annotations": {CREATED_BY: UID}}}


def test_where_access_is_left_nothing_else_is_asked(cluster: Cluster, kube: Kube) -> None:
    cluster.hold("a", made=False)
    cluster.items[BINDING.collection] = [make("mca-profile-standard")]
    assert look(kube, delete=True) == ["RoleBinding a/mca-profile-standard"]
    assert cluster.asked == [NAMESPACES_PATH, BINDING.collection]


@pytest.mark.parametrize(("delete", "made"), [(False, False), (True, True)])
def test_what_stays_or_goes_as_a_whole_is_not_looked_into(
    cluster: Cluster, kube: Kube, delete: bool, made: bool
) -> None:
    cluster.hold("a", made=made)
    assert look(kube, delete=delete) == (["Namespace a"] if delete else [])
    assert cluster.asked == [NAMESPACES_PATH, BINDING.collection]


def test_what_was_made_in_others_namespaces_is_asked_there(cluster: Cluster, kube: Kube) -> None:
    cluster.hold("a", made=False)
    cluster.items[QUOTA.path("a")] = [make("mca-quota")]
    assert look(kube, delete=True) == ["ResourceQuota a/mca-quota"]
    assert set(cluster.asked[2:]) == {kind.path("a") for kind in OTHERS}


def test_of_many_namespaces_by_the_label(cluster: Cluster, kube: Kube) -> None:
    cluster.hold(*(f"a{number}" for number in range(21)), "a", made=False)
    cluster.items[NETWORK.collection] = [make("mca-dns")]
    assert look(kube, delete=True) == ["NetworkPolicy a/mca-dns"]
    assert set(cluster.asked[2:]) == {kind.collection for kind in OTHERS}
