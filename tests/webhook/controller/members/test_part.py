"""Which changes have a Cluster looked at, and which ClusterProfiles are followed."""

from pathlib import Path
from typing import Any

import pytest

from tests.webhook.controller.policies.lands import Land
from webhook.controller.engine.world import Kept
from webhook.controller.members.part import build_parts
from webhook.resources.clusters import parse_cluster
from webhook.watching.store import Change


def make(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "eu", "uid": "u", "generation": 1, **metadata}}


BEFORE = make(resourceVersion="1")


@pytest.mark.parametrize(
    ("after", "woken"),
    [
        ({**make(resourceVersion="2"), "status": {"version": "v1.36.0"}}, False),
        (make(resourceVersion="2", labels={"a": "b"}), False),
        (make(resourceVersion="2", generation=2), True),
        (make(resourceVersion="2", uid="another"), True),
        (make(annotations={"mca.io/cluster-profile": "fleet/eu"}), True),
        (make(deletionTimestamp="2026-01-01T00:00:00Z"), True),
        (None, True),
    ],
    ids=["status", "labels", "spec", "another", "profile", "deleting", "gone"],
)
def test_its_own_status_wakes_nobody(tmp_path: Path, after: Any, woken: bool) -> None:
    members, *_ = build_parts(Land(tmp_path).world)
    old, new = (
        None if each is None else Kept(each, parse_cluster(each)) for each in (BEFORE, after)
    )
    assert list(members.follows[0].keys(Change("eu", old, new))) == ["eu"] * woken
    assert list(members.follows[0].keys(Change("eu", None, old))) == ["eu"]


def test_profiles_are_followed_in_the_namespaces_that_are_listed(tmp_path: Path) -> None:
    assert [part.name for part in build_parts(Land(tmp_path).world)] == ["members"]
    world = Land(tmp_path, profile_namespaces=("fleet",)).world
    members, profiles = build_parts(world)
    change: Change[Any] = Change("fleet/eu", None, None)
    assert list(members.follows[1].keys(change)) == ["eu"]
    assert list(profiles.follows[1].keys(change)) == ["fleet/eu"]
