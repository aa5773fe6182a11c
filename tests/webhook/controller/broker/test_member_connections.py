"""A member that hangs or lies holds up nobody but those who ask it."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from sidecar.secret import Secret
from tests.scripted_server import Connection, ScriptedServer, answer_all
from tests.webhook.controller.broker.examples import encode, make_cluster
from webhook.controller.access.opening import Bearer
from webhook.controller.broker.member_connections import MemberConnections
from webhook.controller.broker.refusals import RefusedError
from webhook.kube import Kube, KubeError
from webhook.resources.clusters import Cluster, parse_cluster

LOGIN = Bearer(Secret(b"registered"))


def cluster_of(server: ScriptedServer, uid: str = "cluster-uid") -> Cluster:
    document = make_cluster(uid=uid)
    document["spec"] |= {"server": server.url, "caBundle": encode(server.authority.pem)}
    found = parse_cluster(document)
    assert isinstance(found, Cluster)
    return found


def get(kube: Kube) -> int:
    return kube.request("GET", "/a", timeout_s=5).status


async def refuse(
    members: MemberConnections, cluster: Cluster, work: Callable[[Kube], int] = get
) -> str:
    with pytest.raises(RefusedError) as refused:
        await members.ask(cluster, "1", LOGIN, "team-a", work)
    return refused.value.rule


async def test_connections_are_kept_until_a_credential_changes() -> None:
    with ScriptedServer() as server:
        members, cluster = MemberConnections(), cluster_of(server)
        for _ in range(3):
            assert await members.ask(cluster, "1", LOGIN, "team-a", get) == 200
        assert server.connections == 1
        renewed = Bearer(Secret(b"renewed"))
        assert await members.ask(cluster, "2", renewed, "team-a", get) == 200
        seen = [request.values(b"Authorization") for request in server.requests]
        assert seen == [[b"Bearer registered"]] * 3 + [[b"Bearer renewed"]]
        members.keep_only({cluster.meta.uid})
        members.keep_only(set())
        names = [thread.name for thread in threading.enumerate()]
        deadline = time.monotonic() + 5
        while f"member {cluster.name}" in names and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
            names = [thread.name for thread in threading.enumerate()]
        assert f"member {cluster.name}" not in names


async def test_one_that_hangs_is_left_alone_for_a_while() -> None:
    held = threading.Event()

    def hang(connection: Connection) -> None:
        connection.read_request()
        held.wait(20)

    now = [100.0]
    members = MemberConnections(clock=lambda: now[0], deadline_s=1.0)
    with ScriptedServer(hang) as hanging, ScriptedServer() as good:
        first = asyncio.ensure_future(refuse(members, cluster_of(hanging)))
        other = cluster_of(good, "other-uid")
        assert await members.ask(other, "1", LOGIN, "team-a", get) == 200
        assert not first.done()  # the other did not wait
        assert await first == "member"
        assert await refuse(members, cluster_of(hanging)) == "member"  # and nobody was asked
        assert hanging.connections == 1
        now[0] += 6
        held.set()
        hanging.script = answer_all()
        assert await members.ask(cluster_of(hanging), "1", LOGIN, "team-a", get) == 200


async def test_what_one_tenant_is_refused_disturbs_no_other() -> None:
    def refused(_: Kube) -> int:
        raise RefusedError("member", "no rights for this account")

    with ScriptedServer() as server:
        members, cluster = MemberConnections(), cluster_of(server)
        for _ in range(5):
            assert await refuse(members, cluster, refused) == "member"
        assert await members.ask(cluster, "1", LOGIN, "team-b", get) == 200


async def test_a_namespace_takes_turns_with_others() -> None:
    held = threading.Event()

    def wait(_: Kube) -> int:
        held.wait(10)
        return 1

    with ScriptedServer() as server:
        members, cluster = MemberConnections(), cluster_of(server)
        ask = members.ask
        many = [asyncio.ensure_future(ask(cluster, "1", LOGIN, "team-a", wait)) for _ in range(16)]
        await asyncio.sleep(0)
        assert await refuse(members, cluster) == "busy"
        other = asyncio.ensure_future(ask(cluster, "1", LOGIN, "team-b", get))
        await asyncio.sleep(0)
        held.set()
        assert await other == 200
        assert await asyncio.gather(*many) == [1] * 16


async def test_a_bad_credential_is_told_and_not_shown() -> None:
    with ScriptedServer() as server:
        members, cluster = MemberConnections(), cluster_of(server)
        with pytest.raises(RefusedError) as refused:
            await members.ask(cluster, "1", Bearer(Secret(b"\xff")), "team-a", get)
        assert refused.value.rule == "member"
        assert server.connections == 0


async def test_one_that_does_not_answer_says_so() -> None:
    def fail(_: Kube) -> int:
        raise KubeError(0, "", "connection refused")

    with ScriptedServer() as server:
        members, cluster = MemberConnections(), cluster_of(server)
        assert await refuse(members, cluster, fail) == "member"
        assert await refuse(members, cluster) == "member"
        assert server.connections == 0
