"""Who leads: one at a time, another soon after it has ended, on a real API server."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.controlplane import ControlPlane
from webhook.controller.engine.lease import Durations, Elector
from webhook.kube import Kube, open_kubeconfig

LIFE_S = 3
Start = Callable[..., "Replica"]


class Replica:
    """An elector in a thread, as a process has it."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self.late_s = 0.0
        self.elector = Elector(kube, namespace, name, Durations(LIFE_S), self.tell_time)
        self.changes: list[bool] = []
        self.thread = threading.Thread(
            target=self.elector.run, args=(self.changes.append,), daemon=True
        )
        self.thread.start()

    def tell_time(self) -> float:
        return time.monotonic() + self.late_s

    def die(self) -> None:
        """It does nothing more, and says nothing."""
        self.elector._ending.set()
        self.thread.join(10)


def wait_for(met: Callable[[], object], timeout_s: float = 20.0) -> float:
    """How long it took."""
    began = time.monotonic()
    while not met():
        assert time.monotonic() < began + timeout_s, "it did not come"
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Replica] = []

    def start_one(plane: ControlPlane, namespace: str, name: str) -> Replica:
        plane.create_namespace(namespace)
        kube = open_kubeconfig(path=str(plane.admin_kubeconfig()))
        started.append(Replica(kube, namespace, name))
        return started[-1]

    yield start_one
    for replica in started:
        replica.die()


def lease_of(plane: ControlPlane, namespace: str) -> dict[str, object]:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/mca-controller"
    answer = plane.request("GET", path)
    assert answer.status == http.client.OK
    spec: dict[str, object] = answer.json()["spec"]
    return spec


def test_one_leads_and_the_other_takes_over_from_the_dead(
    control_plane: ControlPlane, start: Start
) -> None:
    first = start(control_plane, "lease-dead", "a")
    wait_for(first.elector.leads)
    second = start(control_plane, "lease-dead", "b")
    watched_until = time.monotonic() + 1.5
    while time.monotonic() < watched_until:
        assert not second.elector.leads()
        time.sleep(0.01)
    assert first.elector.leads()
    assert lease_of(control_plane, "lease-dead")["holderIdentity"] == "a"
    first.die()
    both = []

    def taken_over() -> bool:
        both.append(first.elector.leads() and second.elector.leads())
        return second.elector.leads()

    took_s = wait_for(taken_over)
    assert not any(both)
    assert took_s > Durations(LIFE_S).lead_s - LIFE_S / 7.5  # not before it could have been lost
    spec = lease_of(control_plane, "lease-dead")
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 2)
    assert (first.changes[:1], second.changes) == ([True], [True])


def test_who_ends_in_good_order_lets_the_other_lead_at_once(
    control_plane: ControlPlane, start: Start
) -> None:
    first = start(control_plane, "lease-release", "a")
    wait_for(first.elector.leads)
    second = start(control_plane, "lease-release", "b")
    first.elector.release()
    assert not first.elector.leads()
    assert wait_for(second.elector.leads) < LIFE_S / 2


def test_the_same_replica_goes_on_after_a_restart(
    control_plane: ControlPlane, start: Start
) -> None:
    first = start(control_plane, "lease-again", "a")
    wait_for(first.elector.leads)
    first.die()
    again = start(control_plane, "lease-again", "a")
    assert wait_for(again.elector.leads) < LIFE_S / 2


def test_a_lead_that_has_lapsed_unseen_is_told_as_lost(
    control_plane: ControlPlane, start: Start
) -> None:
    """The process was stopped, or the call that renews was slow: nobody looked meanwhile."""
    replica = start(control_plane, "lease-lapse", "a")
    wait_for(lambda: replica.changes == [True])
    replica.late_s = Durations(LIFE_S).lead_s + 0.1
    assert not replica.elector.leads()
    wait_for(lambda: replica.changes == [True, False, True])
    assert replica.elector.leads()
    assert lease_of(control_plane, "lease-lapse")["leaseTransitions"] == 1


def test_without_an_api_server_nobody_leads_for_long(
    make_control_plane: Callable[..., ControlPlane], start: Start
) -> None:
    plane = make_control_plane()
    replica = start(plane, "lease-lost", "a")
    wait_for(replica.elector.leads)
    plane.kill_api_server()
    lost_s = wait_for(lambda: not replica.elector.leads())
    assert lost_s <= Durations(LIFE_S).lead_s + 0.2
    wait_for(lambda: replica.changes == [True, False])
    plane.start_api_server()
    wait_for(replica.elector.leads)
