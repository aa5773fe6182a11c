"""What is kept of objects, how they are found, and what has not been read yet."""

from pathlib import Path

from tests.webhook.controller.policies.lands import Land
from webhook.controller.engine.world import keep_namespace
from webhook.resources.meta import Meta
from webhook.watching.collection import Collection

LABELS = {"mca.io/tenant": "acme", "pod-security.kubernetes.io/enforce": "baseline"}


def test_of_a_namespace_only_what_concerns_somebody() -> None:
    metadata = {
        "name": "a",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "finalizers": ["x/y"],
        "labels": {**LABELS, "other": "x"},
        "annotations": {
            "mca.io/tenant-uid": "t" * 250_000,
            "mca.io/created-by": "c",
            "mca.io/other": "x",
            "kubectl.kubernetes.io/last-applied": "{…}",
        },
    }
    kept = keep_namespace({"metadata": metadata})
    assert kept == keep_namespace({"metadata": {**metadata, "resourceVersion": "8"}})
    notes = {"mca.io/tenant-uid": "t" * 64, "mca.io/created-by": "c"}
    assert kept == Meta("a", uid="u", labels=LABELS, annotations=notes)
    assert keep_namespace({"metadata": {**metadata, "deletionTimestamp": "x"}}).deleting


def test_objects_are_found_by_what_they_are_about(tmp_path: Path) -> None:
    land = Land(tmp_path)
    world = land.world
    land.tenant("acme", "a", clusters=["eu", "us"])
    land.namespace("a", "acme", uid="uid-acme")
    land.namespace("b")
    assert world.namespaces.find("tenant", "acme") == ["a"]
    assert world.namespaces.find("uid", "uid-acme") == ["a"]
    assert world.tenants.find("cluster", "us") == ["acme"]
    assert world.tenants.find("uid", "uid-acme") == ["acme"]


def test_what_has_not_been_read_yet_is_named(tmp_path: Path) -> None:
    world = Land(tmp_path).world
    more = world.follow(Collection("/api/v1/limitranges", dict))
    assert world.list_lacking() == (
        "namespaces", "clusters", "tenants", "configmaps/mca-policy", "limitranges",
    )  # fmt: skip
    for store in (world.namespaces, world.clusters, world.policies, more):
        store.replace({})
    assert world.list_lacking() == ("tenants",)
