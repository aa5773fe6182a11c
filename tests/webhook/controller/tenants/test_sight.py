"""What is seen of a Tenant on a member where others put its label onto much that is large."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.controller.tenants.examples import UID, make_tenant
from webhook.controller.tenants.kinds import BINDING, QUOTA, Place
from webhook.controller.tenants.leaving import look_at_leave
from webhook.controller.tenants.rests import VISIT_BYTES, VISIT_S
from webhook.controller.tenants.sight import look_for_objects
from webhook.kube import Kube, KubeError, open_kubeconfig, open_server
from webhook.resources.names import CREATED_BY, LABEL_TENANT, NAMESPACES_PATH, TENANT_UID

META = make_tenant().meta
PROFILE = "mca-profile-standard"
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
# 1.1 MB of JSON.
MANY = [{"kind": "ServiceAccount", "name": f"s{i}", "namespace": "m"} for i in range(18_000)]
LARGE = 8


@pytest.fixture(scope="module")
def member() -> Iterator[ControlPlane]:
    """Without guards. The Tenant's namespaces: one has lost its label; beside them a stranger's."""
    with ControlPlane() as plane:
        for name, labels in (("own", {LABEL_TENANT: "acme"}), ("lost", {}), ("strange", {})):
            annotations = {} if name == "strange" else {TENANT_UID: UID}
            metadata = {"name": name, "labels": labels, "annotations": annotations}
            plane.create(NAMESPACES_PATH, {"metadata": metadata})
        for name in ("own", "lost"):
            bind(plane, name, PROFILE)
        for number in range(LARGE):
            bind(plane, "strange", f"large-{number}", MANY)
        metadata = mark("mca-quota")
        plane.create(QUOTA.path("own"), {"metadata": metadata, "spec": {"hard": {"pods": "1"}}})
        yield plane


def mark(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {LABEL_TENANT: "acme"}, "annotations": {CREATED_BY: UID}}


def bind(plane: ControlPlane, namespace: str, name: str, subjects: Any = ()) -> None:
    body = {"metadata": mark(name), "roleRef": {**ROLE, "name": PROFILE}, "subjects": subjects}
    plane.create(BINDING.path(namespace), body)


@pytest.fixture
def kube(member: ControlPlane) -> Iterator[Kube]:
    """Of one visit."""
    opened = open_server(member.url, member.ca_pem, token=member.tokens["admin"])
    yield opened.for_at_most(VISIT_S, VISIT_BYTES)
    opened.close()


def test_what_strangers_label_hides_nothing(kube: Kube) -> None:
    """Not even in a namespace that has lost its label, and is asked for by nobody."""
    sight = look_for_objects(kube, META, ["own"])
    assert sight.unseen == ()
    assert set(sight.objects) == {
        Place(BINDING, "own", PROFILE), Place(BINDING, "lost", PROFILE),
        Place(QUOTA, "own", "mca-quota"),
    }  # fmt: skip


def test_a_tenant_leaves_beside_them(kube: Kube) -> None:
    leave = look_at_leave(kube, META, (), delete=True, system_namespace="mca-system")
    assert {write.place.shown for write in leave.writes} == {
        f"RoleBinding own/{PROFILE}", f"RoleBinding lost/{PROFILE}",
    }  # fmt: skip


def test_access_is_seen_where_it_hides_among_its_like(member: ControlPlane, kube: Kube) -> None:
    """Who has access may put it there himself; nothing else of such a namespace is withdrawn."""
    bind(member, "own", "aa-large", MANY)
    try:
        sight = look_for_objects(kube, META, ["own"])
        assert Place(BINDING, "own", PROFILE) in sight.objects
        assert Place(QUOTA, "own", "mca-quota") in sight.objects
        [told] = sight.unseen
        assert told.startswith("namespace 'own': rolebindings with the label mca.io/tenant=acme")
    finally:
        member.request("DELETE", BINDING.path("own", "aa-large"))


def test_nobody_leaves_while_something_cannot_be_seen(member: ControlPlane, kube: Kube) -> None:
    bind(member, "own", "aa-large", MANY)
    for name in ("own", "lost"):
        member.request("DELETE", BINDING.path(name, PROFILE))
    try:
        with pytest.raises(KubeError, match="take the label off them") as caught:
            look_at_leave(kube, META, (), delete=False, system_namespace="mca-system")
        assert caught.value.reason == "TooMany"
    finally:
        member.request("DELETE", BINDING.path("own", "aa-large"))
        for name in ("own", "lost"):
            bind(member, name, PROFILE)


def test_other_failures_are_told(member: ControlPlane) -> None:
    kube = open_server(member.url, member.ca_pem, token="nobodys")
    with pytest.raises(KubeError) as caught:
        look_for_objects(kube, META, ["own"])
    assert caught.value.status == 401
    kube.close()


def test_at_home_one_page_is_in_memory_at_a_time(member: ControlPlane) -> None:
    kube = open_kubeconfig(path=str(member.admin_kubeconfig()))
    tracemalloc.start()
    try:
        sight = look_for_objects(kube, META, (), (BINDING,))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        kube.close()
    assert len(sight.objects) == LARGE + 2
    assert all(len(found.content) < 1_000 for found in sight.objects.values())
    assert peak < 36 << 20, f"{peak >> 20} MiB"
