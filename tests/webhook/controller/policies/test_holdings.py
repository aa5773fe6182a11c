"""Which namespaces a Tenant holds, and that this is looked up anew when something changes."""

from pathlib import Path

import pytest

from tests.webhook.controller.policies.lands import Land
from webhook.controller.policies.holdings import Holdings


@pytest.fixture
def land(tmp_path: Path) -> Land:
    return Land(tmp_path)


def open_holdings(land: Land) -> Holdings:
    return Holdings(land.world.namespaces, land.world.tenants, "mca-system")


def test_a_tenant_holds_what_it_selects_and_is_labelled_so(land: Land) -> None:
    holdings = open_holdings(land)
    land.tenant("acme", "a", "b", "kube-x")
    for name in ("b", "a", "c", "kube-x"):
        land.namespace(name, "acme")
    land.namespace("d")
    assert holdings.list_held("acme") == ("a", "b")
    assert holdings.list_held("other") == ()


def test_each_change_counts_from_then_on(land: Land) -> None:
    holdings = open_holdings(land)
    land.namespace("a", "acme")
    assert holdings.list_held("acme") == ()
    land.tenant("acme", "a", "b")
    assert holdings.list_held("acme") == ("a",)
    land.namespace("b", "acme", uid="uid-acme")
    assert holdings.list_held("acme") == ("a", "b")
    land.namespace("b", "acme", uid="uid-of-another")
    assert holdings.list_held("acme") == ("a",)
    land.namespace("a", "other")
    assert holdings.list_held("acme") == ()


def test_what_has_not_changed_is_not_looked_up_again(land: Land) -> None:
    holdings = open_holdings(land)
    land.tenant("acme", "a")
    land.namespace("a", "acme")
    held = holdings.list_held("acme")
    land.namespace("z", "other")
    assert holdings.list_held("acme") is held


def test_claims_are_judged_by_the_tenant_that_is_named(land: Land) -> None:
    holdings = open_holdings(land)
    land.tenant("acme", "a")
    land.namespace("a", "acme")
    meta = land.world.namespaces.get("a")
    assert meta is not None
    claim = holdings.judge(meta)
    assert claim.tenant is not None
    assert (claim.tenant.name, claim.to_claim) == ("acme", True)
    land.world.tenants.put("acme", None)
    assert holdings.judge(meta).denied


def test_nothing_is_remembered_of_names_that_nothing_has(land: Land) -> None:
    """Labels can say anything, one after the other."""
    holdings = open_holdings(land)
    land.tenant("acme", "a")
    for name in ("x", "y", "acme"):
        land.namespace("a", name)
        holdings.list_held(name)
    assert holdings.list_held("acme") == ("a",)
    assert set(holdings._changes) == {"acme"}
    land.namespace("a")
    land.world.tenants.put("acme", None)
    assert (holdings._changes, holdings._held) == ({}, {})
    land.tenant("acme", "a")
    land.namespace("a", "acme")
    assert holdings.list_held("acme") == ("a",)
