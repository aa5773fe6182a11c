"""A slice with a stand-in while its member is killed, hangs and comes back; and those beside it."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.informer import SharedInformer

from tests.controlplane.calls import Answer
from tests.multicluster.scene import Planes, Watch, configmap, names, route, tenant, wait_for
from tests.sidecar_process import Cluster, SidecarProcess

SLICE = "/api/v1/namespaces/team-a/configmaps"
BESIDE = "/api/v1/namespaces/team-b/secrets"
WEST_ALONE = "/api/v1/namespaces/west-only/secrets"
HEALTH = {"intervalSeconds": 0.3, "timeoutSeconds": 0.5, "failureThreshold": 2}
ROUTES = [
    route("slice", {"resources": ["configmaps"], "namespaces": ["team-a"]}, standIns=["home"]),
    route("alone", {"resources": ["secrets"], "namespaces": ["west-only"]}),
]


@pytest.fixture
def sidecar(planes: Planes) -> Iterator[SidecarProcess]:
    home, west = planes.clusters
    watched = Cluster(west.server, west.ca_pem, west.token, health=HEALTH)
    rules = {"tenant": tenant(), "routes": ROUTES}
    with SidecarProcess((home, watched), rules=rules) as process:
        yield process


@pytest.fixture(autouse=True)
def objects(planes: Planes) -> Iterator[None]:
    """Each cluster has objects of its own; whoever was killed is back at the end."""
    for plane in (planes.home, planes.west):
        for target in (SLICE, BESIDE, WEST_ALONE):
            plane.request("DELETE", target)
    planes.west.create(SLICE, configmap("in-west"))
    planes.home.create(SLICE, configmap("in-home"))
    yield
    for plane in (planes.home, planes.west):
        if "kube-apiserver" not in plane.pids:
            plane.start_api_server()


def is_up(sidecar: SidecarProcess, name: str) -> bool:
    return sidecar.metric("mca_cluster_health_status", cluster=name) == 1


def list_names(sidecar: SidecarProcess) -> list[str]:
    answer = sidecar.request("GET", SLICE)
    assert answer.status == 200, answer.body
    return [name for name in names(answer.json()) if name != "kube-root-ca.crt"]


def version(answer: Answer) -> str:
    return str(answer.json()["metadata"]["resourceVersion"])


def assert_expired(answer: Answer) -> None:
    assert answer.status == 410, answer.body
    assert answer.json()["reason"] == "Expired"
    assert "Retry-After" not in answer.headers


def test_reads_go_to_the_stand_in_and_back(planes: Planes, sidecar: SidecarProcess) -> None:
    assert list_names(sidecar) == ["in-west"]
    of_west = version(sidecar.request("GET", SLICE))
    planes.west.kill_api_server()
    assert list_names(sidecar) == ["in-home"], "the first call after the end is served elsewhere"
    of_home = version(sidecar.request("GET", SLICE))
    assert_expired(sidecar.request("GET", f"{SLICE}?resourceVersion={of_west}"))
    assert_expired(sidecar.request("GET", f"{SLICE}?watch=1&resourceVersion={of_west}"))
    assert sidecar.request("GET", f"{SLICE}?resourceVersion={of_home}").status == 200
    assert sidecar.request("GET", f"{SLICE}/in-home").status == 200
    planes.west.start_api_server()
    wait_for(lambda: is_up(sidecar, "west"))
    assert list_names(sidecar) == ["in-west"]
    assert_expired(sidecar.request("GET", f"{SLICE}?resourceVersion={of_home}"))
    assert sidecar.request("GET", f"{SLICE}?resourceVersion=0").status == 200


def test_pages_of_one_cluster_are_not_continued_on_another(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    for number in range(3):
        planes.west.create(SLICE, configmap(f"page-{number}"))
    token = sidecar.request("GET", f"{SLICE}?limit=1").json()["metadata"]["continue"]
    assert sidecar.request("GET", f"{SLICE}?limit=1&continue={token}").status == 200
    planes.west.kill_api_server()
    assert_expired(sidecar.request("GET", f"{SLICE}?limit=1&continue={token}"))


def test_writes_wait_for_nobody_and_go_nowhere_else(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    planes.west.kill_api_server()
    wait_for(lambda: not is_up(sidecar, "west"))
    mark = planes.home.audit.mark()
    started = time.monotonic()
    answer = sidecar.request("POST", SLICE, configmap("lost"))
    assert time.monotonic() - started < 2  # a connection that does not come is given five
    assert answer.status == 503
    assert answer.headers["Mca-Decision"] == "upstream/down"
    assert "Retry-After" not in answer.headers, "client-go would send it again and again"
    assert "west" in answer.json()["message"]
    assert not [event for event in planes.home.audit.since(mark) if event["verb"] == "create"]


def test_a_write_based_on_the_stand_in_is_a_conflict(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    """Else it would be applied to another object, if their versions happened to be alike."""
    planes.home.create(SLICE, configmap("both", of="home"))
    planes.west.create(SLICE, configmap("both", of="west"))
    own = sidecar.request("GET", f"{SLICE}/both").json()
    planes.west.kill_api_server()
    foreign = sidecar.request("GET", f"{SLICE}/both").json()
    assert (own["data"], foreign["data"]) == ({"of": "west"}, {"of": "home"})
    planes.west.start_api_server()
    wait_for(lambda: is_up(sidecar, "west"))
    refused = sidecar.request("PUT", f"{SLICE}/both", foreign)
    assert (refused.status, refused.json()["reason"]) == (409, "Conflict")
    changed = sidecar.request("PUT", f"{SLICE}/both", own | {"data": {"of": "us"}})
    assert changed.status == 200, changed.body
    assert planes.west.request("GET", f"{SLICE}/both").json()["data"] == {"of": "us"}
    assert planes.home.request("GET", f"{SLICE}/both").json()["data"] == {"of": "home"}
    stale = sidecar.request("PUT", f"{SLICE}/both", own)
    assert stale.status == 409, "the API server's own conflict"
    since = changed.json()["metadata"]["resourceVersion"]
    body = {"preconditions": {"resourceVersion": since}}
    assert sidecar.request("DELETE", f"{SLICE}/both", body).status == 200


def test_watches_follow_the_member_that_serves(planes: Planes, sidecar: SidecarProcess) -> None:
    """Hung, not dead: the watch at it is ended with a 410 event; and so it is when it is back."""
    since = version(sidecar.request("GET", SLICE))
    pid = planes.west.pids["kube-apiserver"]
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(Watch(sidecar, f"{SLICE}?watch=1&resourceVersion={since}"))
        beside = stack.enter_context(Watch(sidecar, f"{BESIDE}?watch=1"))
        os.kill(pid, signal.SIGSTOP)
        stack.callback(os.kill, pid, signal.SIGCONT)
        (event,) = watch.until_end()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert event["object"]["reason"] == "Expired"
        elsewhere = stack.enter_context(Watch(sidecar, f"{SLICE}?watch=1"))
        assert elsewhere.next()["object"]["metadata"]["name"] in ("in-home", "kube-root-ca.crt")
        os.kill(pid, signal.SIGCONT)
        last = elsewhere.until_end()[-1]
        assert (last["type"], last["object"]["code"]) == ("ERROR", 410)
        assert list_names(sidecar) == ["in-west"]
        planes.home.create(BESIDE, {"metadata": {"name": "seen"}})
        assert beside.next()["object"]["metadata"]["name"] == "seen", "nobody else is disturbed"


def make_informer(sidecar: SidecarProcess, namespace: str, kind: str = "config_map") -> Any:
    """The official client's own, through the sidecar."""
    configuration = client.Configuration()
    configuration.host = sidecar.url
    configuration.ssl_ca_cert = str(sidecar.ca_file)
    configuration.api_key = {"authorization": f"Bearer {sidecar.token()}"}
    api = client.CoreV1Api(client.ApiClient(configuration))
    informer: Any = SharedInformer
    return informer(getattr(api, f"list_namespaced_{kind}"), namespace=namespace)


def cached(informer: Any) -> list[str]:
    return sorted(
        item.metadata.name
        for item in informer.cache.list()
        if item.metadata.name != "kube-root-ca.crt"
    )


def test_an_informer_ends_consistent_with_whoever_serves(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    informer = make_informer(sidecar, "team-a")
    informer.start()
    try:
        wait_for(lambda: cached(informer) == ["in-west"])
        planes.west.create(SLICE, configmap("more-west"))
        wait_for(lambda: cached(informer) == ["in-west", "more-west"])
        planes.west.kill_api_server()
        wait_for(lambda: cached(informer) == ["in-home"], 30)
        planes.home.create(SLICE, configmap("more-home"))
        wait_for(lambda: cached(informer) == ["in-home", "more-home"], 30)
        planes.home.request("DELETE", f"{SLICE}/in-home")
        wait_for(lambda: cached(informer) == ["more-home"], 30)
        planes.west.start_api_server()
        wait_for(lambda: cached(informer) == ["in-west", "more-west"], 30)
        sidecar.request("POST", SLICE, configmap("through-us"))
        wait_for(lambda: cached(informer) == ["in-west", "more-west", "through-us"], 30)
    finally:
        informer.stop()


@pytest.mark.parametrize("killed", ["west", "home"])
def test_the_death_of_one_loses_no_event_of_the_other(
    planes: Planes, sidecar: SidecarProcess, killed: str
) -> None:
    """At any moment: while objects are written one after the other on the one that lives."""
    living, target = (planes.home, BESIDE) if killed == "west" else (planes.west, WEST_ALONE)
    dying = planes.planes()[killed]
    failed: list[Answer] = []
    count = 60

    def write() -> None:
        for number in range(count):
            made = sidecar.request("POST", target, {"metadata": {"name": f"n-{number:03}"}})
            if made.status != 201:
                failed.append(made)
            time.sleep(0.01)

    with Watch(sidecar, f"{target}?watch=1") as watch:
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.3)
        dying.kill_api_server()
        writer.join()
        assert not failed, failed[0].body
        seen = [watch.next()["object"]["metadata"]["name"] for _ in range(count)]
        assert seen == [f"n-{number:03}" for number in range(count)]
        assert watch.is_open()
    assert living.request("GET", target).status == 200
    assert sidecar.ask_admin("/readyz").status == 200, "an outage is no fault of the sidecar"


def test_home_is_back_without_a_restart(planes: Planes, sidecar: SidecarProcess) -> None:
    assert sidecar.request("GET", BESIDE).status == 200
    planes.home.kill_api_server()
    refused = [sidecar.request("GET", BESIDE) for _ in range(5)]
    assert {answer.status for answer in refused} == {503}
    assert refused[-1].headers["Mca-Decision"] == "upstream/down"
    unknown = sidecar.request("GET", "/apis/batch/v1/namespaces/team-a/jobs")
    assert unknown.status == 503, "nor can it be told whether jobs have namespaces"
    assert unknown.headers["Mca-Decision"] == "tenant/unknown-scope"
    assert "home" in unknown.json()["message"]
    assert not {"Retry-After"} & set(unknown.headers)
    planes.home.start_api_server()
    wait_for(lambda: sidecar.request("GET", BESIDE).status == 200)


def test_a_blackhole_costs_its_callers_no_wait(
    planes: Planes, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """A listener with a full queue answers as a network that drops packets does: not at all."""
    home = planes.clusters[0]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.1)
        gone = Cluster(
            f"https://127.0.0.1:{listener.getsockname()[1]}", home.ca_pem, token="a-token"
        )
        sidecar = make_sidecar(
            (home, gone),
            rules={"tenant": tenant(), "routes": ROUTES},
            env={"MCA_CONNECT_TIMEOUT": "2"},
        )
        took: list[float] = []

        def call() -> None:
            started = time.monotonic()
            assert sidecar.request("GET", WEST_ALONE).status == 503
            took.append(time.monotonic() - started)

        callers = [threading.Thread(target=call) for _ in range(10)]
        for caller in callers:
            caller.start()
            time.sleep(0.1)
        for caller in callers:
            caller.join()
        assert max(took) < 3.9  # nobody waits twice
        for _ in range(10):
            call()
        assert max(took[-10:]) < 1.5  # nor at all, once it is known
        assert list_names(sidecar) == ["in-home"]
        for filler in fillers:
            filler.close()
