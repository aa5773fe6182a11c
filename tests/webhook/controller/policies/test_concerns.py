"""Which namespaces a change concerns: all whose snapshot differs after it, and few others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.webhook.controller.policies.lands import Land
from webhook.controller.policies.concerns import Concerns
from webhook.controller.policies.holdings import Holdings
from webhook.watching.store import Change, Store


class Heard:
    """The keys that each change gives, as a queue would hold them in the end."""

    def __init__(self, land: Land) -> None:
        world = land.world
        self.concerns = Concerns(
            world, Holdings(world.namespaces, world.tenants, world.settings.namespace)
        )
        self._keys: list[str] = []
        self._follow(world.namespaces, self.concerns.of_namespace)
        self._follow(world.tenants, self.concerns.of_tenant)
        self._follow(world.clusters, self.concerns.of_cluster)

    def _follow(self, store: Store[Any], keys: Callable[[Change[Any]], Any]) -> None:
        store.listen(lambda change: self._keys.extend(keys(change)))

    def take(self) -> list[str]:
        """What has been heard since, with what stands for others looked up."""
        waiting, found = self._keys, set()
        self._keys = []
        while waiting:
            key = waiting.pop()
            others = self.concerns.expand(key)
            if others is None:
                found.add(key)
            else:
                waiting.extend(others)
        return sorted(found)


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Two tenants of two namespaces each, of which one may use two clusters; and one of nobody."""
    land = Land(tmp_path)
    land.tenant("acme", "a1", "a2", "a3", clusters=["eu", "us"])
    land.tenant("beta", "b1", "b2")
    land.cluster("eu")
    for name in ("a1", "a2"):
        land.namespace(name, "acme", uid="uid-acme")
    for name in ("b1", "b2"):
        land.namespace(name, "beta", uid="uid-beta")
    land.namespace("c")
    return land


def test_a_namespace_that_comes_concerns_those_of_its_tenant(land: Land) -> None:
    heard = Heard(land)
    land.namespace("a3", "acme")
    assert heard.take() == ["a1", "a2", "a3"]
    land.namespace("d")
    assert heard.take() == ["d"]


def test_a_claim_that_is_written_down_changes_nothing(land: Land) -> None:
    heard = Heard(land)
    land.namespace("a3", "acme")
    heard.take()
    land.namespace("a3", "acme", uid="uid-acme")
    assert heard.take() == []


def test_a_namespace_that_is_lost_or_goes_concerns_those_of_its_tenant(land: Land) -> None:
    heard = Heard(land)
    land.namespace("a1", "acme", uid="uid-of-another")
    assert heard.take() == ["a1", "a2"]
    land.world.namespaces.put("a2", None)
    assert heard.take() == ["a1", "a2"]


def test_a_namespace_that_changes_hands_concerns_both(land: Land) -> None:
    heard = Heard(land)
    land.tenant("beta", "b1", "b2", "a1")
    heard.take()
    land.namespace("a1", "beta")
    assert heard.take() == ["a1", "a2", "b1", "b2"]


def test_labels_that_say_nothing_here_concern_nobody(land: Land) -> None:
    heard = Heard(land)
    land.namespace("c", injection="enabled", more="x")
    assert heard.take() == []
    land.namespace("c", injection="enabled", boundary="enforced")
    assert heard.take() == ["c"]


def test_a_tenant_concerns_what_it_holds_or_held(land: Land) -> None:
    heard = Heard(land)
    land.tenant("acme", "a1", clusters=["eu"])
    assert heard.take() == ["a1", "a2"]
    # Without its label a namespace is still known by the uid that is written on it.
    land.namespace("a2", uid="uid-acme", injection="enabled")
    heard.take()
    land.world.tenants.put("acme", None)
    assert heard.take() == ["a1", "a2"]


def test_a_status_that_is_written_concerns_nobody(land: Land) -> None:
    heard = Heard(land)
    land.tenant("acme", "a1", "a2", "a3", clusters=["eu", "us"], version=2)
    land.cluster("eu", version=2)
    assert heard.take() == []


def test_a_cluster_concerns_the_namespaces_of_tenants_that_may_use_it(land: Land) -> None:
    heard = Heard(land)
    land.cluster("eu", accepted=False)
    assert heard.take() == ["a1", "a2"]
    land.cluster("us")
    assert heard.take() == ["a1", "a2"]
    land.cluster("unused")
    assert heard.take() == []
    land.world.clusters.put("eu", None)
    assert heard.take() == ["a1", "a2"]


def test_the_brokers_authority_concerns_everybody(land: Land) -> None:
    heard = Heard(land)
    [key] = heard.concerns.of_authority(Change("x", "old", "new"))
    assert sorted(heard.concerns.expand(key) or ()) == ["a1", "a2", "b1", "b2", "c"]


def test_tenants_take_turns(land: Land) -> None:
    concerns = Heard(land).concerns
    assert [concerns.group(key) for key in ("a1", "a2", "c", "tenant:acme")] == [
        "acme",
        "acme",
        "c",
        "",
    ]
