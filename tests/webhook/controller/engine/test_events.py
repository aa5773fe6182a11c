"""Events: what is told once, what is dropped, and how an Event looks."""

from pathlib import Path

from tests.webhook.controller.policies.lands import Land
from webhook.controller.engine.events import Recorder, Regarding, Told, render_event

ROUTE = Regarding("mca.io/v1alpha1", "Route", "r", "team-a", "u-1")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def count(recorder: Recorder) -> int:
    """What waits to be written: nothing writes here."""
    return len(recorder._waiting)


def test_the_same_is_told_once_in_a_while(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(Land(tmp_path).world.kube, "me", clock)
    for _ in range(3):
        recorder.tell(ROUTE, "ClusterUnknown", "no such Cluster")
    assert count(recorder) == 1
    recorder.tell(ROUTE, "ClusterUnknown", "another")
    assert count(recorder) == 2
    clock.now += 601
    recorder.tell(ROUTE, "ClusterUnknown", "no such Cluster")
    assert count(recorder) == 3


def test_a_flood_is_dropped_and_ends(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(Land(tmp_path).world.kube, "me", clock)
    for number in range(500):
        recorder.tell(ROUTE, "Refused", str(number))
    assert count(recorder) == 20
    clock.now += 10
    recorder.tell(ROUTE, "Refused", "499")  # which was dropped, and so is no repetition
    assert count(recorder) == 21


def test_a_flood_of_one_namespace_drops_nothing_of_others(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(Land(tmp_path).world.kube, "me", clock)
    for number in range(500):
        recorder.tell(ROUTE, "Refused", str(number))
        clock.now += 0.01
    others = [
        ROUTE._replace(namespace="team-b"),
        Regarding("mca.io/v1alpha1", "Tenant", "acme"),
        Regarding("mca.io/v1alpha1", "Tenant", "globex"),
    ]
    for regarding in others:
        recorder.tell(regarding, "Refused", "0")
    assert [told.regarding for told in recorder._waiting][-3:] == others


def test_all_together_have_a_bound(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(Land(tmp_path).world.kube, "me", clock)
    for number in range(500):
        recorder.tell(ROUTE._replace(namespace=f"team-{number}"), "Refused", "x")
    assert count(recorder) == 100


def test_event() -> None:
    told = Told(ROUTE, "ClusterUnknown", "no such Cluster", warning=True)
    event = render_event(told, "team-a", "me", 1_700_000_000_000_000_000)
    assert event["involvedObject"] == {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Route",
        "name": "r",
        "namespace": "team-a",
        "uid": "u-1",
    }
    assert (event["type"], event["reason"], event["message"]) == (
        "Warning",
        "ClusterUnknown",
        "no such Cluster",
    )
    assert event["firstTimestamp"] == "2023-11-14T22:13:20Z"
    assert event["metadata"]["name"].startswith("r.")
    later = render_event(told, "team-a", "me", 1_700_000_000_000_000_001)
    assert later["metadata"]["name"] != event["metadata"]["name"]


def test_what_has_no_namespace_is_told_where_people_look() -> None:
    told = Told(Regarding("mca.io/v1alpha1", "Tenant", "acme"), "A", "b", warning=False)
    event = render_event(told, "default", "me", 0)
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]
    assert event["type"] == "Normal"
