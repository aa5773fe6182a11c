"""Replicas and their Lease: death, an end in good order, an API server that goes away."""

import http.client
from collections.abc import Iterator

import pytest

from tests.controller.scene import LEASE, ControllerProcess, Home, namespace_of, poll, tenant_of
from tests.controlplane import ControlPlane


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """To be broken; whoever starts a controller there ends it."""
    with ControlPlane() as plane:
        home = Home(plane, tmp_path_factory.mktemp("own-home"))
        yield home
        home.end()


def holder(home: Home) -> str:
    answer = home.plane.request("GET", LEASE)
    if answer.status != http.client.OK:
        return ""
    return str(answer.json()["spec"].get("holderIdentity") or "")


ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mca-controller"


def test_who_has_not_read_everything_writes_nothing(own_home: Home) -> None:
    """Attack 68: without its Tenants every namespace would look like nobody's, and be opened."""
    home = own_home
    role = home.plane.request("GET", ROLE).json()
    blind = [rule for rule in role["rules"] if "mca.io" not in rule["apiGroups"]]
    without = {**role, "metadata": {"name": "mca-controller"}, "rules": blind}
    assert home.plane.request("PUT", ROLE, without).status == http.client.OK
    home.apply(tenant_of("sync", "sync"), namespace_of("sync", "sync"))
    process = home.controller()
    poll(lambda: process.process.poll() is not None or process.events("watch_failed"), 30)
    lacking = "not read yet: clusters, tenants, routes"
    poll(lambda: ask_ready(process) == (503, lacking), 30, process.log())
    # As long as it tries, again and again, to read what it may not.
    seen = len(refused_lists(home))
    poll(lambda: len(refused_lists(home)) > seen + 3)
    assert (home.policy("sync"), holder(home)) == (None, "")
    restored = {**role, "metadata": {"name": "mca-controller"}}
    assert home.plane.request("PUT", ROLE, restored).status == http.client.OK
    poll(lambda: ((home.policy("sync") or {}).get("tenant") or {}).get("namespaces"), 60)
    assert process.stop() == 0


def refused_lists(home: Home) -> list[str]:
    """Of our own kinds, to whom does not read them."""
    return [
        event["requestURI"]
        for event in home.plane.audit.since(0)
        if event["verb"] == "list"
        and event["requestURI"].startswith("/apis/mca.io/")
        and event["responseStatus"]["code"] == http.client.FORBIDDEN
    ]


def ask_ready(process: ControllerProcess) -> tuple[int, str]:
    try:
        return process.ask("/readyz")
    except OSError:
        return 0, ""


def test_replicas_take_turns_and_lose_nothing(own_home: Home) -> None:
    home = own_home
    first = home.controller(MCA_CONTROLLER_IDENTITY="one").wait_leads()
    second = home.controller(MCA_CONTROLLER_IDENTITY="two").wait_ready()
    assert (holder(home), second.leads()) == ("one", False)
    home.apply(namespace_of("turn-1"))
    poll(lambda: home.policy("turn-1"))
    # Killed: what comes meanwhile is done by the other, when the Lease has run out.
    first.kill()
    home.apply(namespace_of("turn-2"))
    poll(lambda: home.policy("turn-2"), 30)
    assert holder(home) == "two"
    # Without an API server: nothing is lost, and nothing ends.
    home.plane.kill_api_server()
    poll(lambda: second.events("follows"), 30, "it went on to lead")
    home.plane.start_api_server()
    home.apply(namespace_of("turn-3"))
    poll(lambda: home.policy("turn-3"), 60)
    # Asked to end: the Lease is free at once, and the next one leads, however long it was held for.
    assert second.stop() == 0
    assert second.events("lease_released")
    assert holder(home) == ""
    held = {"MCA_CONTROLLER_IDENTITY": "three", "MCA_CONTROLLER_LEASE_SECONDS": "60"}
    third = home.controller(**held).wait_leads()
    fourth = home.controller(MCA_CONTROLLER_IDENTITY="four").wait_ready()
    assert third.stop() == 0
    poll(lambda: holder(home) == "four", 30, "the Lease was not given back")
    home.apply(namespace_of("turn-4"))
    poll(lambda: home.policy("turn-4"))
    assert fourth.stop() == 0
    assert holder(home) == ""
    for name in ("turn-1", "turn-2", "turn-3", "turn-4"):
        assert home.policy(name)
