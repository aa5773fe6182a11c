"""What Routes cost the controller: bounded, whatever whoever may write them puts into them."""

import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.controller.scene import (
    API,
    ControllerProcess,
    Home,
    RawObject,
    namespace_of,
    poll,
    render_kubeconfig,
    route_of,
    tenant_of,
)
from webhook.controller.compiling.room import MAX_ROUTES
from webhook.controller.engine.settings import ControllerSettings
from webhook.controller.engine.world import World
from webhook.controller.policies.route_shelf import RouteShelf
from webhook.kube import open_kubeconfig
from webhook.resources.routes import Outline, Route

ROUTES = f"/apis/{API}/namespaces/{{}}/routes"
MERGE = {"Content-Type": "application/merge-patch+json"}
MIB = 1 << 20
FAT = 60
NOTE = {"note": "x" * 250_000}


def create(home: Home, *documents: RawObject) -> None:
    for document in documents:
        path = ROUTES.format(document["metadata"]["namespace"])
        assert home.plane.request("POST", path, document).status == http.client.CREATED


def lasting_rss(process: ControllerProcess) -> int:
    """The least in half a second: what is parsed for a moment is not what is remembered."""
    until, least = time.monotonic() + 0.5, process.rss_bytes()
    while time.monotonic() < until:
        least = min(least, process.rss_bytes())
        time.sleep(0.02)
    return least


@pytest.fixture
def routes(home: Home) -> Iterator[str]:
    """A namespace's path, where nothing is left."""
    home.apply(namespace_of("mem"), tenant_of("mem", "mem"))
    home.apply(namespace_of("mem", "mem"))
    poll(lambda: (home.policy("mem") or {}).get("tenant"))
    yield ROUTES.format("mem")
    home.plane.request("DELETE", ROUTES.format("mem"))


def test_annotations_cost_nothing_that_lasts(
    home: Home, controller: ControllerProcess, routes: str
) -> None:
    """15 MB of them, by who may edit; a replica that begins takes them in small pages."""
    before = lasting_rss(controller)
    for number in range(FAT):
        document = route_of("mem", f"fat-{number:02}", "home")
        document["metadata"]["annotations"] = NOTE
        create(home, document)
    last = f"{routes}/fat-{FAT - 1}"
    poll(lambda: home.condition(last, "Accepted").get("status") == "True", 30)
    assert lasting_rss(controller) - before < 8 * MIB
    peaks, ended = [0], threading.Event()
    replica = home.controller()

    def look() -> None:
        while not ended.wait(0.005):
            peaks.append(replica.rss_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        replica.wait_ready()
    finally:
        ended.set()
        watcher.join()
    assert max(peaks) - lasting_rss(replica) < 20 * MIB
    assert replica.stop() == 0


def test_one_that_comes_to_count_later_is_read_again(home: Home, routes: str) -> None:
    """Of what is beyond the first hundred only a line was kept."""
    create(home, *(route_of("mem", f"r{number:03}", "home") for number in range(MAX_ROUTES + 1)))
    poll(lambda: home.condition(f"{routes}/r100", "Accepted").get("reason") == "TooMany", 30)
    change: RawObject = {"spec": {"priority": 9}}
    home.plane.request("PATCH", f"{routes}/r100", change, headers=MERGE)
    poll(lambda: home.condition(f"{routes}/r100", "Accepted").get("status") == "True")
    poll(lambda: home.condition(f"{routes}/r099", "Accepted").get("reason") == "TooMany")
    listed = home.policy("mem") or {}
    assert [route["name"] for route in listed["routes"]][:2] == ["r100", "r000"]
    assert len(listed["routes"]) == MAX_ROUTES


def test_what_was_read_again_is_read_once_for_each_version(home: Home, routes: str) -> None:
    path = home.folder / "shelf.kubeconfig"
    path.write_text(render_kubeconfig(home.plane, home.token))
    kube = open_kubeconfig(path=str(path))
    world = World(kube, ControllerSettings(), CollectorRegistry(), lambda: True)
    shelf = RouteShelf(world)

    def put(name: str, **metadata: Any) -> None:
        raw = home.plane.request("GET", f"{routes}/{name}").json()
        raw["metadata"] |= metadata
        shelf.store.put(f"mem/{name}", shelf.keep(raw))

    def find(name: str) -> object:
        (found,) = (route for route in shelf.list_routes("mem") if route.name == name)
        return found

    for number in range(MAX_ROUTES):
        raw = route_of("mem", f"r{number:03}", "home")
        shelf.store.put(f"mem/r{number:03}", shelf.keep(raw))
    late = route_of("mem", "late", "home")
    late["spec"]["priority"] = 1
    create(home, late)
    put("late")
    first = find("late")
    assert isinstance(first, Route)
    assert first.meta.annotations == {}
    assert find("late") is first
    put("late", generation=2)
    assert find("late") is not first
    # Gone, which the watch has not told yet.
    home.plane.request("DELETE", f"{routes}/late")
    put_line = shelf.keep({**late, "metadata": {**late["metadata"], "generation": 3}})
    shelf.store.put("mem/late", put_line)
    assert isinstance(find("late"), Outline)
    kube.close()
