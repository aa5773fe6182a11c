"""What is kept of objects, how they are found, and what has not been read yet."""

from pathlib import Path

from tests.webhook.controller.policies.lands import Land
from webhook.controller.engine.world import keep_namespace
from webhook.watching.collection import Collection


def test_of_a_namespace_only_what_concerns_somebody() -> None:
    metadata = {
        "name": "a",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "labels": {"mca.io/tenant": "acme", "other": "x"},
        "annotations": {"mca.io/tenant-uid": "t", "kubectl.kubernetes.io/last-applied": "{…}"},
    }
    kept = keep_namespace({"metadata": metadata})
    assert kept == keep_namespace({"metadata": {**metadata, "resourceVersion": "8"}})
    assert kept.annotations == {"mca.io/tenant-uid": "t"}
    assert kept.labels == metadata["labels"]


def test_objects_are_found_by_what_they_are_about(tmp_path: Path) -> None:
    land = Land(tmp_path)
    world = land.world
    land.tenant("acme", "a", clusters=["eu", "us"])
    land.namespace("a", "acme", uid="uid-acme")
    land.namespace("b")
    land.route("a", "r")
    assert world.namespaces.find("tenant", "acme") == ["a"]
    assert world.namespaces.find("uid", "uid-acme") == ["a"]
    assert world.tenants.find("cluster", "us") == ["acme"]
    assert world.tenants.find("uid", "uid-acme") == ["acme"]
    assert world.routes.find("namespace", "a") == ["a/r"]


def test_what_has_not_been_read_yet_is_named(tmp_path: Path) -> None:
    world = Land(tmp_path).world
    more = world.follow(Collection("/api/v1/limitranges", dict))
    assert world.list_lacking() == (
        "namespaces", "clusters", "tenants", "routes", "configmaps/mca-policy", "limitranges",
    )  # fmt: skip
    for store in (world.namespaces, world.clusters, world.routes, world.policies, more):
        store.replace({})
    assert world.list_lacking() == ("tenants",)
