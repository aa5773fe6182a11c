"""Whom a change concerns, and whom not."""

from pathlib import Path
from typing import Any

import pytest

from tests.webhook.controller.policies.lands import Land
from tests.webhook.controller.tenants.examples import make_namespace, make_tenant
from webhook.controller.engine.world import Kept
from webhook.controller.tenants.following import Following, list_changed, list_holders
from webhook.controller.tenants.planning import Found
from webhook.resources.tenants import Tenant
from webhook.watching.store import Change


@pytest.fixture
def land(tmp_path: Path) -> Land:
    return Land(tmp_path)


def keep(tenant: Tenant, status: str = "", version: str = "1") -> Kept[Any]:
    meta = tenant.meta._replace(resource_version=version)
    return Kept({"status": status}, tenant._replace(meta=meta))


def test_a_status_alone_wakes_nobody() -> None:
    before = keep(make_tenant())
    assert list_changed(Change("acme", before, keep(make_tenant(), "new", "2"))) == []
    assert list_changed(Change("acme", before, keep(make_tenant(quota={"pods": "1"})))) == ["acme"]
    assert list_changed(Change("acme", None, before)) == ["acme"]
    assert list_changed(Change("acme", before, None)) == ["acme"]


def test_an_object_concerns_whose_label_it_has_or_had() -> None:
    old, new = Found("u", "a", "", ""), Found("u", "b", "", "")
    assert list_holders(Change("n/x", old, new)) == {"a", "b"}
    assert list_holders(Change("n/x", None, Found("u", "", "", ""))) == set()


def test_a_namespace_concerns_who_names_it_or_is_named_by_it(land: Land) -> None:
    following = Following(land.world)
    land.tenant("names", "team-a")
    land.tenant("claimed", "other")
    found = set(
        following.list_concerned(
            Change(
                "team-a",
                make_namespace("team-a", tenant="before", uid=""),
                make_namespace("team-a", tenant="after", uid="uid-claimed"),
            )
        )
    )
    assert found == {"names", "before", "after", "claimed"}
    assert list(following.list_concerned(Change("x", None, make_namespace("x", tenant="")))) == []


def test_addresses_concern_isolated_tenants(land: Land) -> None:
    following = Following(land.world)
    land.tenant("open", "a")
    land.tenant("shut", "b", network={"isolate": True})
    assert following.list_isolated(Change("default/kubernetes", None, None)) == ["shut"]
    assert len(following.list_follows()) == 3


def test_a_cluster_concerns_its_users_and_a_probe_nobody(land: Land) -> None:
    following = Following(land.world)
    land.tenant("user", "a", clusters=["eu-1"])
    land.tenant("other", "b")
    tenant = keep(make_tenant())
    assert following.list_users(Change("eu-1", None, tenant)) == ["user"]
    assert following.list_users(Change("eu-1", tenant, keep(make_tenant(), "x", "2"))) == []
