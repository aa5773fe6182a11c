"""Attack 49: floods of lists and watches from one container, before real API servers.

They end at the caller's own limits, nobody else's; what the API server itself says of too much
passes.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.tenancy.probe import Probe
from tests.tenancy.scene import TENANT, Scene
from tests.tenancy.town import CONFIGMAPS, OURS, PODS, object_of
from tests.tenancy.wire import Sent, Wire

pytestmark = pytest.mark.apiserver

HERE = OURS[0]
WATCHES, BURST, CALLS = 4, 20, 120
LIMITS = {
    "concurrentRequests": 50,
    "watches": WATCHES,
    "rates": [
        {"verbs": ["list"], "groups": [""], "resources": ["pods"], "perSecond": 1, "burst": BURST}
    ],
}
BUDGETS = f"/apis/policy/v1/namespaces/{HERE}/poddisruptionbudgets"


@pytest.fixture(scope="module")
def probes(scene: Scene) -> Iterator[tuple[Probe, Probe]]:
    """Two containers of one pod."""
    tenant = TENANT | {"limits": LIMITS}
    with scene.make_sidecar(tenant, containers=("app", "other")) as sidecar:
        yield Probe(scene, sidecar), Probe(scene, sidecar, "other")


def test_49_a_flood_of_watches_ends_at_ones_own_limit(probes: tuple[Probe, Probe]) -> None:
    flooding, other = probes
    sidecar = flooding.sidecar
    target = f"{CONFIGMAPS.path(HERE)}?watch=1&allowWatchBookmarks=true&timeoutSeconds=30"
    codes = Counter[int]()
    with contextlib.ExitStack() as stack:
        for _ in range(5 * WATCHES):
            wire = stack.enter_context(Wire(sidecar.port, sidecar.ca_pem, sidecar.token()))
            answer = wire.ask(Sent("GET", target), stay=True)
            codes[answer.status] += 1
            if answer.status == 429:
                assert answer.rule == "limit/watches"
                assert b"Retry-After: " in answer.content
        assert codes == {200: WATCHES, 429: 4 * WATCHES}
        other.forward("GET", f"{CONFIGMAPS.path(HERE)}?watch=1&timeoutSeconds=1")
        flooding.forward("GET", CONFIGMAPS.path(HERE, "web-0"))


def test_49_a_flood_of_lists_ends_at_ones_own_limit(probes: tuple[Probe, Probe]) -> None:
    flooding, other = probes
    sidecar = flooding.sidecar
    home = flooding.scene.home
    mark = home.audit.mark()
    codes = Counter[int]()

    def flood() -> None:
        with Wire(sidecar.port, sidecar.ca_pem, sidecar.token()) as wire:
            for _ in range(CALLS // 4):
                codes[wire.ask(Sent("GET", PODS.path(HERE))).status] += 1

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    other.forward("GET", PODS.path(HERE))
    for thread in threads:
        thread.join()
    other.forward("GET", PODS.path(HERE))
    assert codes.keys() == {200, 429}
    assert BURST <= codes[200] < CALLS / 2
    # What was refused did not reach the API server.
    listed = [
        event
        for event in home.audit.since(mark)
        if event["verb"] == "list" and event["objectRef"]["resource"] == "pods"
    ]
    assert len(listed) == codes[200] + 2


def test_49_the_servers_own_429_passes(scene: Scene) -> None:
    """With its Retry-After, by which clients try again."""
    labels = {"evict": "not"}
    pod = object_of(PODS, "kept")
    pod["metadata"]["labels"] = labels
    scene.home.create(PODS.path(HERE), pod)
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    running = scene.home.request(
        "PATCH",
        f"{PODS.path(HERE, 'kept')}/status",
        {"status": status},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert running.status == 200, running.body
    budget = {
        "metadata": {"name": "kept"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
    }
    scene.home.create(BUDGETS, budget)
    answer, event = Probe(scene).forward(
        "POST", f"{PODS.path(HERE, 'kept')}/eviction", {"metadata": {"name": "kept"}}, status=429
    )
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["reason"] == "TooManyRequests"
    assert event["objectRef"]["subresource"] == "eviction"
