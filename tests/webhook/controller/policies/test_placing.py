"""An object of ours stands as it should, whatever stood there before: on a real API server."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from webhook.controller.policies.placing import Places
from webhook.kube import Kube, open_kubeconfig
from webhook.resources.policy_objects import (
    Stored,
    build_binding,
    build_map,
    keep_binding,
    keep_map,
)
from webhook.watching.collection import Collection
from webhook.watching.reflector import Reflector
from webhook.watching.store import Change, Store

RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Ground:
    """Places of ConfigMaps with their store, which can be held back."""

    def __init__(self, plane: ControlPlane, kube: Kube, namespace: str) -> None:
        self.plane, self.namespace = plane, namespace
        self.path = f"/api/v1/namespaces/{namespace}/configmaps/mca-policy"
        self.store: Store[Stored] = Store()
        self.unsettled: list[str] = []
        self.now = 100.0
        self.places = Places(kube, "/api/v1", "configmaps", keep_map, self.store, lambda: self.now)
        self.store.listen(self.hear)
        only = (("fieldSelector", "metadata.name=mca-policy"),)
        self.reflector = Reflector(
            kube, Collection("/api/v1/configmaps", keep_map, only), self.store
        )
        plane.create_namespace(namespace)

    def hear(self, change: Change[Stored]) -> None:
        told = self.places.list_unsettled(change)
        self.unsettled.extend(name for name in told if name == self.namespace)

    def follow(self) -> None:
        self.reflector.start()
        assert self.store.wait(20)

    def put(self, content: str) -> tuple[str, tuple[str, ...]]:
        outcome = self.places.put(self.namespace, build_map(self.namespace, "r", content))
        return outcome.action, outcome.flaws

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.plane.request("GET", self.path).json()
        return found

    def wait_seen(self) -> None:
        """Until the store has what stands there."""
        version = self.read()["metadata"]["resourceVersion"]
        key = f"{self.namespace}/mca-policy"
        self.wait(lambda: (stored := self.store.get(key)) and stored.version == version)

    def wait(self, met: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not met():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def meddle(self, patch: dict[str, Any]) -> None:
        answer = self.plane.request(
            "PATCH",
            self.path,
            patch,
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.status == 200, answer.body
        self.wait_seen()


@pytest.fixture
def lay(control_plane: ControlPlane) -> Iterator[Callable[[str], Ground]]:
    kube = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    grounds: list[Ground] = []

    def lay_one(namespace: str) -> Ground:
        grounds.append(Ground(control_plane, kube, namespace))
        return grounds[-1]

    yield lay_one
    for ground in grounds:
        ground.reflector.stop()


Lay = Callable[[str], Ground]


def test_it_is_made_kept_and_changed(lay: Lay) -> None:
    ground = lay("place-change")
    ground.follow()
    assert ground.put("{}") == ("created", ())
    # Whether the watch has told of it yet or not.
    assert ground.put("{}") == ("kept", ())
    ground.wait_seen()
    assert ground.put("{}") == ("kept", ())
    assert ground.put("[]") == ("updated", ())
    assert ground.put("[]") == ("kept", ())
    assert ground.read()["data"] == {"snapshot.v1.json": "[]"}
    ground.wait_seen()
    assert ground.unsettled == []


def test_without_news_of_its_own_writes_it_writes_nothing_twice(lay: Lay) -> None:
    ground = lay("place-blind")
    assert ground.put("{}") == ("created", ())
    version = ground.read()["metadata"]["resourceVersion"]
    assert [ground.put("{}"), ground.put("{}")] == [("kept", ())] * 2
    assert ground.read()["metadata"]["resourceVersion"] == version


def test_what_was_deleted_before_any_watch_saw_it_is_made_again(lay: Lay) -> None:
    ground = lay("place-unseen")
    assert ground.put("{}") == ("created", ())
    ground.plane.request("DELETE", ground.path)
    assert ground.put("{}") == ("kept", ())  # as far as it knows
    ground.now += 15.1
    assert ground.put("{}") == ("created", ())
    assert ground.read()["data"] == {"snapshot.v1.json": "{}"}


@pytest.mark.parametrize(
    ("name", "patch", "action", "flaw"),
    [
        ("data", {"data": {"snapshot.v1.json": "evil"}}, "updated", "by somebody else"),
        ("key", {"data": {"more": "x"}}, "updated", "by somebody else"),
        ("labels", {"metadata": {"labels": None}}, "updated", "not our labels"),
        (
            "owner",
            {
                "metadata": {
                    "ownerReferences": [
                        {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}
                    ]
                }
            },
            "updated",
            "has an owner",
        ),
        ("finalizer", {"metadata": {"finalizers": ["x.example/y"]}}, "updated", "finalizer"),
        ("frozen", {"immutable": True}, "replaced", "cannot be changed"),
    ],
)
def test_what_a_tenant_made_of_it_is_undone(
    lay: Lay, name: str, patch: dict[str, Any], action: str, flaw: str
) -> None:
    namespace = f"place-{name}"
    ground = lay(namespace)
    ground.follow()
    ground.put("{}")
    ground.wait_seen()
    ground.meddle(patch)
    ground.wait(lambda: ground.unsettled == [namespace])  # who listens is told after that
    done, flaws = ground.put("{}")
    assert done == action
    assert any(flaw in told for told in flaws), flaws
    found = ground.read()
    assert found["data"] == {"snapshot.v1.json": "{}"}
    stored = keep_map(found)
    assert (stored.flaws, stored.ours) == ((), True)
    assert ground.put("{}") == ("kept", ())


def test_what_a_tenant_says_of_its_fields_goes(lay: Lay) -> None:
    """API servers keep that as it was sent, and sidecars would have to read it."""
    ground = lay("place-fields")
    ground.follow()
    deep: dict[str, Any] = {}
    for _ in range(600):
        deep = {"f:a": deep}
    entry = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    body = build_map("place-fields", "r", "{}").body
    metadata = {**body["metadata"], "managedFields": [{**entry, "fieldsV1": deep}]}
    ground.plane.create(ground.path.rpartition("/")[0], {**body, "metadata": metadata})
    ground.wait_seen()
    assert ground.put("[]")[0] == "updated"
    assert "f:a" not in json.dumps(ground.read())


def test_one_that_is_stuck_while_it_goes_is_replaced(lay: Lay) -> None:
    ground = lay("place-stuck")
    ground.follow()
    ground.put("{}")
    ground.wait_seen()
    ground.meddle({"metadata": {"finalizers": ["x.example/y"]}, "immutable": True})
    ground.plane.request("DELETE", ground.path)
    ground.wait_seen()
    uid = ground.read()["metadata"]["uid"]
    assert ground.put("[]")[0] == "replaced"
    found = ground.read()
    assert found["metadata"]["uid"] != uid
    assert "finalizers" not in found["metadata"]
    assert found["data"] == {"snapshot.v1.json": "[]"}


def test_somebody_who_writes_all_the_time_does_not_keep_us_from_it(lay: Lay) -> None:
    """The store is behind all the while: what it saw is not what stands there."""
    ground = lay("place-storm")
    ground.put("{}")
    ground.store.put("place-storm/mca-policy", keep_map(ground.read()))
    ground.plane.request(
        "PATCH",
        ground.path,
        {"metadata": {"annotations": {"x": "1"}}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert ground.put("[]") == ("updated", ())
    assert ground.read()["data"] == {"snapshot.v1.json": "[]"}


def test_a_binding_to_another_role_is_replaced(control_plane: ControlPlane) -> None:
    kube = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    control_plane.create_namespace("place-role")
    store: Store[Stored] = Store()
    places = Places(kube, RBAC, "rolebindings", keep_binding, store)
    path = f"{RBAC}/namespaces/place-role/rolebindings"
    other = build_binding("place-role").body
    made = control_plane.create(
        path, {**other, "roleRef": {**other["roleRef"], "name": "cluster-admin"}}
    )
    store.put("place-role/mca-policy", keep_binding(made))
    outcome = places.put("place-role", build_binding("place-role"))
    assert (outcome.action, outcome.flaws) == ("replaced", ("cannot be changed",))
    found = control_plane.request("GET", f"{path}/mca-policy").json()
    assert found["roleRef"]["name"] == "mca-policy-reader"
    kube.close()


def test_what_another_leader_wrote_is_nobody_elses(lay: Lay) -> None:
    ground = lay("place-term")
    ground.follow()
    ground.put("{}")
    ground.wait_seen()
    ground.meddle({"data": {"snapshot.v1.json": "[]"}})
    ground.wait(lambda: ground.unsettled)
    ground.places.begin_term()
    assert ground.put("{}") == ("updated", ())


def test_a_new_term_looks_at_what_there_is(lay: Lay) -> None:
    ground = lay("place-anew")
    ground.put("{}")
    ground.plane.request("DELETE", ground.path)  # before any watch saw it
    ground.places.begin_term()
    assert ground.put("{}") == ("created", ())
