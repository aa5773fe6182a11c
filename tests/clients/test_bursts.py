"""Informers see each event of a burst exactly once."""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients.builds import build_go
from tests.clients.scene import Scene
from tests.controlplane import ControlPlane

pytestmark = pytest.mark.apiserver
HERE = Path(__file__).resolve().parent
OBJECTS = 200
EARLIER = 5  # are there before the informer is
ROUNDS = 3
WRITERS = 8

INFORMERS: dict[str, Callable[[], list[str]]] = {
    "go": lambda: [str(build_go("go")), "burst", str(OBJECTS)],
    "python": lambda: [sys.executable, str(HERE / "python_burst.py"), str(OBJECTS)],
}


@pytest.mark.parametrize("informer", INFORMERS)
def test_each_event_of_a_burst_is_seen_exactly_once(scene: Scene, informer: str) -> None:
    name = f"clients-burst-{informer}"
    with scene.pair(name) as pair:
        namespace = f"{name}-b"
        for number in range(EARLIER):
            write(scene.plane, namespace, "POST", number, 0)

        def answer(what: str) -> None:
            assert what == "burst"
            with ThreadPoolExecutor(WRITERS) as writers:
                for number in range(OBJECTS):
                    writers.submit(live, scene.plane, namespace, number)

        (step,) = pair.meshed.tell(INFORMERS[informer](), answer)
    expected = {f"add object-{number} 0" for number in range(OBJECTS)}
    for number in range(OBJECTS):
        expected |= {f"update object-{number} {turn}" for turn in range(1, ROUNDS)}
    expected |= {f"delete object-{number} {ROUNDS - 1}" for number in range(OBJECTS)}
    seen = step["result"]["seen"]
    assert {event: count for event, count in seen.items() if count != 1} == {}
    assert set(seen) ^ expected == set()
    assert step["result"]["left"] == []


def live(plane: ControlPlane, namespace: str, number: int) -> None:
    """One object's life."""
    if number >= EARLIER:
        write(plane, namespace, "POST", number, 0)
    for turn in range(1, ROUNDS):
        write(plane, namespace, "PUT", number, turn)
    write(plane, namespace, "DELETE", number, ROUNDS)


def write(plane: ControlPlane, namespace: str, method: str, number: int, turn: int) -> None:
    name = f"object-{number}"
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"metadata": {"name": name, "labels": {"burst": "yes"}}, "data": {"round": str(turn)}}
    at = path if method == "POST" else f"{path}/{name}"
    answer = plane.request(method, at, None if method == "DELETE" else body)
    assert answer.status in (200, 201), json.dumps(answer.json())
