"""A profile makes its Cluster once, lets it follow, and takes over nothing: a server is home."""

import json
from collections.abc import Iterator

import pytest

from tests.scripted_server import Connection, Request, ScriptedServer
from webhook.controller.members.inventory import Inventory
from webhook.controller.members.profiles import Profile, build_cluster
from webhook.kube import Kube, KubeError, open_server
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.meta import Invalid, Meta

CA = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFVSkQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
PROFILE = Profile(Meta("eu-1", "u", "fleet"), "https://eu-1.example.com", CA)


class Scene:
    """An inventory of one profile, beside one Cluster or none."""

    def __init__(self, kube: Kube, server: ScriptedServer) -> None:
        self.profile: Profile | Invalid | None = PROFILE
        self.cluster: Cluster | Invalid | None = None
        self.told: list[tuple[str, str]] = []
        self.status = 200
        self._server = server
        server.script = self._answer
        self.inventory = Inventory(
            kube, lambda _: self.profile, lambda _: self.cluster,
            lambda meta, reason, message: self.told.append((reason, message)),
        )  # fmt: skip

    def _answer(self, connection: Connection) -> None:
        while connection.read_request() is not None:
            body = b'{"kind":"Status"}'
            head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (self.status, len(body))
            connection.send(head + body)

    @property
    def written(self) -> list[Request]:
        return self._server.requests


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ScriptedServer() as server:
        kube = open_server(server.url, server.authority.pem, token="controller")
        yield Scene(kube, server)
        kube.close()


def made_of(profile: Profile, **metadata: object) -> Cluster:
    document = build_cluster(profile)
    document["metadata"] |= {"uid": "c", "resourceVersion": "42", **metadata}
    found = parse_cluster(document)
    assert isinstance(found, Cluster)
    return found


def test_it_is_made_with_an_audience_and_nothing_more(scene: Scene) -> None:
    scene.inventory.reconcile("fleet/eu-1")
    (made,) = scene.written
    assert made.line.startswith(b"POST /apis/mca.io/v1alpha1/clusters?fieldManager=")
    assert json.loads(made.body) == build_cluster(PROFILE)


@pytest.mark.parametrize(("status", "raised"), [(409, False), (403, True)])
def test_somebody_who_was_faster_is_no_failure(scene: Scene, status: int, raised: bool) -> None:
    scene.status = status
    if raised:
        with pytest.raises(KubeError):
            scene.inventory.reconcile("fleet/eu-1")
    else:
        scene.inventory.reconcile("fleet/eu-1")


def test_what_stands_as_it_says_is_not_written(scene: Scene) -> None:
    scene.cluster = made_of(PROFILE)
    scene.inventory.reconcile("fleet/eu-1")
    assert (scene.written, scene.told) == ([], [])


def test_it_follows_a_move_and_only_the_one_that_was_seen(scene: Scene) -> None:
    scene.cluster = made_of(PROFILE)
    scene.profile = PROFILE._replace(server="https://moved.example.com")
    scene.inventory.reconcile("fleet/eu-1")
    (followed,) = scene.written
    assert followed.line.startswith(b"PATCH /apis/mca.io/v1alpha1/clusters/eu-1?")
    document = json.loads(followed.body)
    assert document["spec"] == {"server": "https://moved.example.com", "caBundle": CA}
    assert document["metadata"]["resourceVersion"] == "42"


def test_one_that_was_broken_is_mended(scene: Scene) -> None:
    meta = Meta("eu-1", "c", annotations={"mca.io/cluster-profile": "fleet/eu-1"})
    scene.cluster = Invalid(meta, ("spec.server: is missing",))
    scene.inventory.reconcile("fleet/eu-1")
    assert len(scene.written) == 1


def test_an_admins_cluster_is_not_taken_over(scene: Scene) -> None:
    moved = PROFILE._replace(server="https://elsewhere.example.com")
    for notes in ({}, {"mca.io/cluster-profile": "other/eu-1"}):
        scene.cluster = made_of(moved, annotations=notes)
        scene.inventory.reconcile("fleet/eu-1")
    assert [reason for reason, _ in scene.told] == ["NameTaken"] * 2
    assert scene.written == []


def test_one_that_says_nothing_is_told_and_one_that_is_gone_is_left(scene: Scene) -> None:
    scene.profile = Invalid(PROFILE.meta, ("status.accessProviders: names no server",))
    scene.inventory.reconcile("fleet/eu-1")
    assert scene.told == [("ProfileInvalid", "status.accessProviders: names no server")]
    scene.profile = None
    scene.inventory.reconcile("fleet/eu-1")
    assert scene.written == []
