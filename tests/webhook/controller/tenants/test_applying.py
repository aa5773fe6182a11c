"""Writes of a plan at a real API server: what is ours is written, what is others' is left alone."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from webhook.controller.tenants.applying import Applier
from webhook.controller.tenants.contents import render_content
from webhook.controller.tenants.ending import Leave
from webhook.controller.tenants.kinds import (
    ACCOUNT,
    BINDING,
    LIMITS,
    QUOTA,
    Kind,
    Place,
    Step,
    place_namespace,
)
from webhook.controller.tenants.steps import Apply, Create, Plan, Problem, Remove
from webhook.kube import Kube, KubeError, open_kubeconfig, open_server
from webhook.resources.names import CREATED_BY, LABEL_TENANT

Raw = dict[str, Any]
BORROWED_S = 600.0


class Ground:
    """A namespace of its own, and an applier whose clock stands still."""

    def __init__(self, plane: ControlPlane, kube: Kube, namespace: str) -> None:
        self.plane, self.kube, self.namespace = plane, kube, namespace
        self.now = 1000.0
        self.applier = Applier(kube, lambda: self.now)
        plane.create_namespace(namespace)

    def place(self, kind: Kind, name: str = "mca-it") -> Place:
        return Place(kind, self.namespace, name)

    def body(self, place: Place, **parts: Any) -> Raw:
        """Marked as made for a Tenant."""
        assert place.kind is not None
        marks = {"labels": {LABEL_TENANT: "applying"}, "annotations": {CREATED_BY: "applying"}}
        return {
            "apiVersion": place.kind.api_version,
            "kind": place.kind.name,
            "metadata": {"name": place.name, "namespace": self.namespace, **marks},
            **parts,
        }

    def apply(self, place: Place, pods: str = "10", **how: Any) -> Problem | None:
        body = self.body(place, spec={"hard": {"pods": pods}})
        return self.applier.attempt(Apply(place, body, render_content(body), **how))

    def read(self, place: Place) -> Raw | None:
        answer = self.plane.request("GET", place.path)
        found: Raw | None = answer.json() if answer.status == 200 else None
        return found

    def uid(self, place: Place) -> str:
        found = self.read(place)
        assert found is not None
        return str(found["metadata"]["uid"])

    def make(self, place: Place, **parts: Any) -> Raw:
        """As somebody else would: without our mark."""
        made: Raw = self.plane.create(place.path.rpartition("/")[0], {
            "metadata": {"name": place.name}, **parts,
        })  # fmt: skip
        return made


NUMBERS = itertools.count()


@pytest.fixture
def ground(control_plane: ControlPlane) -> Iterator[Ground]:
    kube = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    yield Ground(control_plane, kube, f"applying-{next(NUMBERS)}")
    kube.close()


def test_it_is_made_and_changed(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    for pods in ("10", "20"):
        assert ground.apply(quota, pods) is None
        found = ground.read(quota)
        assert found is not None
        assert found["spec"] == {"hard": {"pods": pods}}
    assert ground.applier.recall([ground.namespace]) == ({}, frozenset())


def test_what_the_server_made_of_it_is_remembered_until_it_is_as_stated(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    body = ground.body(quota, spec={"hard": {"pods": "10"}})
    ground.applier.attempt(Apply(quota, body, "otherwise"))
    made = render_content(ground.read(quota) or {})
    assert ground.applier.recall([ground.namespace]).settled == {quota: ("otherwise", made)}
    assert ground.applier.recall(["elsewhere"]) == ({}, frozenset())
    ground.apply(quota)
    assert ground.applier.recall([ground.namespace]).settled == {}
    ground.applier.attempt(Apply(quota, body, "otherwise"))
    ground.applier.forget(["elsewhere"])
    assert ground.applier.recall([ground.namespace]).settled
    ground.applier.forget([ground.namespace])
    assert ground.applier.recall([ground.namespace]).settled == {}


def test_a_name_that_somebody_else_has_is_left_to_them(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    ground.make(quota, spec={"hard": {"pods": "1"}})
    problem = ground.apply(quota, vacant=True)
    assert problem is not None
    assert (problem.step, problem.namespace) == (Step.QUOTA, ground.namespace)
    found = ground.read(quota)
    assert found is not None
    assert found["spec"] == {"hard": {"pods": "1"}}
    # Ours, or nobody's, is no hindrance.
    ours = ground.place(QUOTA, "mca-ours")
    for _ in range(2):
        assert ground.apply(ours, vacant=True) is None


@pytest.mark.parametrize("mark", ["applying", "another"])
def test_what_only_bears_our_mark_makes_room(ground: Ground, mark: str) -> None:
    """Others' fields would stay beside ours, and bound something else."""
    quota = ground.place(QUOTA)
    metadata = {"name": quota.name, "annotations": {CREATED_BY: mark}}
    spec = {"hard": {"pods": "10"}, "scopes": ["Terminating"]}
    ground.plane.create(quota.path.rpartition("/")[0], {"metadata": metadata, "spec": spec})
    assert ground.apply(quota, vacant=True) is None
    found = ground.read(quota)
    assert found is not None
    assert found["spec"] == {"hard": {"pods": "10"}}


def test_fields_of_others_are_taken_over_or_named(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    ground.apply(quota)
    headers = {"Content-Type": "application/apply-patch+yaml"}
    theirs = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "7"}}}
    path = f"{quota.path}?fieldManager=other&force=true"
    assert ground.plane.request("PATCH", path, theirs, headers=headers).status == 200
    problem = ground.apply(quota, force=False)
    assert problem is not None
    assert "somebody else has set .spec.hard.pods otherwise" in problem.message
    assert not problem.passing
    assert ground.apply(quota) is None


def test_only_the_very_object_is_deleted(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    ground.apply(quota)
    assert ground.applier.attempt(Remove(quota, "another")) is None
    assert ground.read(quota)
    uid = ground.uid(quota)
    for _ in range(2):  # what is gone is no problem
        assert ground.applier.attempt(Remove(quota, uid)) is None
        assert ground.read(quota) is None


def test_a_namespace_that_is_there_is_not_claimed(ground: Ground) -> None:
    place = place_namespace(ground.namespace)
    problem = ground.applier.attempt(Create(place, {"metadata": {"name": ground.namespace}}))
    assert problem is not None
    assert (problem.step, problem.reason) == (Step.NAMESPACES, "AlreadyExists")


def test_a_service_account_of_others_will_do_and_is_looked_at_again(ground: Ground) -> None:
    runner = ground.place(ACCOUNT, "runner")
    ground.make(runner)
    assert ground.applier.attempt(Create(runner, ground.body(runner))) is None
    found = ground.read(runner)
    assert found is not None
    assert "labels" not in found["metadata"]
    assert ground.applier.recall([ground.namespace]).borrowed == {runner}
    ground.now += BORROWED_S
    assert ground.applier.recall([ground.namespace]).borrowed == frozenset()


def test_one_of_ours_that_lost_its_label_gets_it_back(ground: Ground) -> None:
    runner = ground.place(ACCOUNT, "runner")
    ground.make(runner)
    body = ground.body(runner)
    note = {"metadata": {"annotations": body["metadata"]["annotations"]}}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert ground.plane.request("PATCH", runner.path, note, headers=headers).status == 200
    assert ground.applier.attempt(Create(runner, body)) is None
    found = ground.read(runner)
    assert found is not None
    assert found["metadata"]["labels"] == {LABEL_TENANT: "applying"}
    assert ground.applier.recall([ground.namespace]).borrowed == frozenset()


def test_nobody_gets_access_where_what_bounds_it_does_not_stand(ground: Ground) -> None:
    quota, limits = ground.place(QUOTA), ground.place(LIMITS)
    binding, narrowed = ground.place(BINDING), ground.place(BINDING, "mca-narrowed")
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    writes = [
        Apply(quota, ground.body(quota, spec={"hard": {"pods": "no number"}}), ""),
        Apply(limits, ground.body(limits, spec={"limits": []}), ""),
        Apply(binding, ground.body(binding, roleRef=reference), ""),
        Apply(narrowed, ground.body(narrowed, roleRef=reference), "", narrows=True),
    ]
    found = Problem(Step.NETWORK, "elsewhere", "Refused", "of another namespace")
    problems = ground.applier.run(Plan(tuple(writes), (found,)))
    assert problems[0] == found
    assert [problem.step for problem in problems[1:]] == [Step.QUOTA, Step.ACCESS]
    assert problems[2].reason == "Waiting"
    assert problems[2].message.endswith("waits for Quota")
    assert [ground.read(place) is None for place in (quota, limits, binding, narrowed)] == [
        True, False, True, False,
    ]  # fmt: skip
    # Elsewhere's lack holds up nobody here.
    assert ground.applier.run(Plan((writes[2],), (found,))) == [found]
    assert ground.read(binding)


def test_who_does_not_lead_writes_nothing_and_is_told(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    resting = Applier(ground.kube.writing_while(lambda: False))
    body = ground.body(quota, spec={"hard": {"pods": "1"}})
    with pytest.raises(KubeError) as caught:
        resting.attempt(Apply(quota, body, ""))
    assert caught.value.reason == "NotLeading"
    assert ground.read(quota) is None


def test_what_is_taken_back_is_looked_for_again_after_each_round(ground: Ground) -> None:
    places = [ground.place(QUOTA, f"mca-{number}") for number in range(2)]
    for place in places:
        ground.apply(place)
    looks: list[int] = []

    def plan() -> Leave:
        looks.append(1)
        there = [place for place in places if ground.read(place)]
        return Leave(tuple(Remove(place, ground.uid(place)) for place in there[:1]), ("last",))

    assert ground.applier.take_back(plan) == (("last",), [])
    assert [ground.read(place) for place in places] == [None, None]
    assert len(looks) == 3


def test_what_cannot_be_taken_back_ends_the_rounds(ground: Ground) -> None:
    quota = ground.place(QUOTA)
    plane = ground.plane
    nobody = open_server(plane.url, plane.ca_pem, token=plane.tokens["nobody"])
    looks: list[int] = []

    def plan() -> Leave:
        looks.append(1)
        return Leave((Remove(quota, "uid"),), ())

    waits, problems = Applier(nobody).take_back(plan)
    assert (waits, [problem.reason for problem in problems]) == ((), ["Forbidden"])
    assert len(looks) == 1
    nobody.close()
