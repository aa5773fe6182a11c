"""A new snapshot under traffic: it applies to the next call, and to what is open."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.multicluster.scene import (
    Planes,
    Watch,
    configmap,
    names,
    reload,
    route,
    tenant,
    wait_for,
)
from tests.raw_client import RawClient, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import Cluster, SidecarProcess

MINE = "/api/v1/namespaces/team-a/configmaps"
OTHERS = "/api/v1/namespaces/team-b/configmaps"
TO_WEST = route("slice", {"resources": ["configmaps"], "namespaces": ["team-a"]})
NO_MAPS = {
    "name": "no-maps", "effect": "deny", "verbs": ["watch"], "groups": [""],
    "resources": ["configmaps"], "namespaces": ["team-a"],
}  # fmt: skip


@pytest.fixture
def sidecar(planes: Planes) -> Iterator[SidecarProcess]:
    for plane in (planes.home, planes.west):
        for target in (MINE, OTHERS):
            plane.request("DELETE", target)
    rules = {"tenant": tenant(), "routes": []}
    with SidecarProcess(planes.clusters, rules=rules) as process:
        yield process


NO_PODS = {
    "name": "no-pods", "effect": "deny", "verbs": ["*"], "groups": [""],
    "resources": ["pods/log", "pods/exec"],
}  # fmt: skip


def denying(*rules: dict[str, Any]) -> dict[str, Any]:
    document = tenant()
    return document | {"permissions": [*document["permissions"], *rules]}


def names_in(watch: Watch, count: int) -> set[str]:
    return {watch.next()["object"]["metadata"]["name"] for _ in range(count)}


def begin(sidecar: SidecarProcess, target: str) -> Watch:
    since = sidecar.request("GET", target).json()["metadata"]["resourceVersion"]
    return Watch(sidecar, f"{target}?watch=1&resourceVersion={since}")


def test_a_watch_that_is_no_longer_permitted_ends_with_an_error_event(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    with begin(sidecar, MINE) as mine, begin(sidecar, OTHERS) as others:
        reload(sidecar, planes.clusters, tenant=denying(NO_MAPS), routes=[])
        (event,) = mine.until_end()
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (403, "Forbidden")
        assert "permission/no-maps" in event["object"]["message"]
        assert sidecar.request("GET", f"{MINE}?watch=1").status == 403
        assert sidecar.request("GET", MINE).status == 200
        planes.home.create(OTHERS, configmap("seen"))
        assert names_in(others, 1) == {"seen"}, "nothing else is disturbed"
        assert others.is_open()


def test_a_watch_that_is_served_elsewhere_begins_anew(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    planes.west.create(MINE, configmap("in-west"))
    with begin(sidecar, MINE) as mine, begin(sidecar, OTHERS) as others:
        reload(sidecar, planes.clusters, tenant=tenant(), routes=[TO_WEST])
        (event,) = mine.until_end()
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert "in-west" in names(sidecar.request("GET", MINE).json())
        assert others.is_open()


def test_what_stays_the_same_is_not_disturbed(planes: Planes, sidecar: SidecarProcess) -> None:
    """Whatever else the snapshot says now: rules, routes, labels, limits and health checks."""
    home, west = planes.clusters
    with begin(sidecar, MINE) as mine:
        elsewhere = route("else", {"resources": ["secrets"]})
        more = {"name": "more", "effect": "deny", "verbs": ["*"], "groups": ["apps"],
                "resources": ["*"]}  # fmt: skip
        document = sidecar.render_snapshot(home, west, tenant=denying(more), routes=[elsewhere])
        document["clusters"][0] |= {
            "labels": {"zone": "1"}, "limits": {"maxConnections": 7},
            "healthCheck": {"intervalSeconds": 1},
        }  # fmt: skip
        sidecar.write_snapshot(document)
        wait_for(lambda: len(sidecar.events("snapshot_loaded")) == 2)
        planes.home.create(MINE, configmap("still"))
        assert names_in(mine, 1) == {"still"}
        assert mine.is_open()


def test_a_tenant_that_comes_is_held_against_what_is_open(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """Without one RBAC alone counts; the kinds are learned before the watches are judged."""
    sidecar = make_sidecar(planes.clusters, rules={"tenant": None, "routes": []})
    with begin(sidecar, MINE) as mine, begin(sidecar, "/api/v1/configmaps") as everywhere:
        reload(sidecar, planes.clusters, tenant=tenant(), routes=[])
        (event,) = everywhere.until_end()
        assert event["object"]["code"] == 403
        assert "tenant/all-namespaces" in event["object"]["message"]
        assert mine.is_open()


def test_a_bad_snapshot_disturbs_nothing(planes: Planes, sidecar: SidecarProcess) -> None:
    with begin(sidecar, MINE) as mine:
        bad = route("bad", {"resources": ["pods"]}, to="nowhere")
        sidecar.write_snapshot(sidecar.render_snapshot(*planes.clusters, routes=[bad]))
        refused = sidecar.wait_for_event("snapshot_refused")
        assert "routes[0].to.members[0].cluster" in " ".join(refused["errors"])
        assert mine.is_open()
        assert sidecar.request("GET", MINE).status == 200


def test_a_tagged_version_does_not_outlive_its_route(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    """An informer that has no watch open just then brings it to a cluster that knows no tags."""
    home_too = route("slice", {"resources": ["configmaps"]}, to="home", standIns=["west"])
    reload(sidecar, planes.clusters, tenant=tenant(), routes=[home_too])
    since = sidecar.request("GET", MINE).json()["metadata"]["resourceVersion"]
    target = f"{MINE}?watch=1&resourceVersion={since}"
    with Watch(sidecar, target) as watch:
        reload(sidecar, planes.clusters, tenant=tenant(), routes=[])
        assert watch.until_end()[0]["object"]["code"] == 410
    for _ in range(2):
        answer = sidecar.request("GET", target)
        assert (answer.status, answer.headers["Mca-Decision"]) == (410, "route/version")
    plain = sidecar.request("GET", MINE).json()["metadata"]["resourceVersion"]
    with Watch(sidecar, f"{MINE}?watch=1&resourceVersion={plain}") as watch:
        assert watch.head.status == 200


def test_the_same_name_may_be_another_server(planes: Planes, sidecar: SidecarProcess) -> None:
    """Its versions are another's, though the route and the name are as they were."""
    home, west = planes.clusters
    slice_ = route("slice", {"resources": ["configmaps"]}, standIns=["home"])
    rules = {"tenant": tenant(), "routes": [slice_]}
    reload(sidecar, (home, west), **rules)
    since = sidecar.request("GET", MINE).json()["metadata"]["resourceVersion"]
    sidecar.write_token(str(home.token), "west")
    reload(sidecar, (home, home), **rules)
    answer = sidecar.request("GET", f"{MINE}?watch=1&resourceVersion={since}")
    assert (answer.status, answer.headers["Mca-Decision"]) == (410, "route/version")
    assert sidecar.request("GET", MINE).status == 200


def test_a_call_that_waits_does_not_fall_back_by_rules_of_before(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """Its member hangs, the route is taken away, and then its connection fails."""
    slice_ = route("slice", {"resources": ["configmaps"]}, standIns=["home"])
    home = planes.clusters[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = Cluster(f"https://127.0.0.1:{silent.getsockname()[1]}", home.ca_pem, token="t")
        sidecar = make_sidecar(
            (home, hanging),
            rules={"tenant": None, "routes": [slice_]},
            env={"MCA_HANDSHAKE_TIMEOUT": "3"},
        )
        told: list[Any] = []
        caller = threading.Thread(target=lambda: told.append(sidecar.request("GET", MINE)))
        caller.start()
        time.sleep(0.5)
        reload(sidecar, (home, hanging), tenant=None, routes=[])
        caller.join(10)
    assert [answer.status for answer in told] == [503]
    assert told[0].headers["Mca-Decision"] == "upstream/unreachable"
    assert sidecar.request("GET", MINE).status == 200
    assert not sidecar.events("call_failed")
    assert not sidecar.events("connection_failed")


KINDS = b'{"kind":"APIResourceList","resources":[{"name":"pods","namespaced":true}]}'
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
LOG = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nline\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def serve_pods(connection: Connection) -> None:
    """Discovery, and pods that talk without end."""
    while (request := connection.read_request()) is not None:
        if request.target == b"/api/v1":
            connection.send(JSON % (len(KINDS), KINDS))
            continue
        connection.send(SWITCH if request.values(b"Upgrade") else LOG)
        connection.read_some()


def test_logs_and_tunnels_are_cut(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """No event can stand in them: a truncated body is never a clean end."""
    pods = route("pods", {"resources": ["pods", "pods/*"], "namespaces": ["team-a"]})
    pod = "/api/v1/namespaces/team-a/pods/p"
    with ScriptedServer(serve_pods) as upstream:
        clusters = (planes.clusters[0], upstream.cluster())
        sidecar = make_sidecar(clusters, rules={"tenant": tenant(), "routes": [pods]})
        log, shell = RawClient(sidecar), RawClient(sidecar)
        with log, shell:
            log.send(render_request(sidecar, "GET", f"{pod}/log?follow=true"))
            assert log.read_head().status == 200
            assert log.read_until(b"\r\n") + log.read_until(b"\r\n") == b"5\r\nline\n\r\n"
            upgrade = ("Connection: Upgrade", "Upgrade: websocket")
            shell.send(render_request(sidecar, "GET", f"{pod}/exec?command=sh", *upgrade))
            assert shell.read_head().status == 101
            reload(sidecar, clusters, tenant=denying(NO_PODS), routes=[pods])
            for client in (log, shell):
                assert client.wait_closed() != "close_notify"
