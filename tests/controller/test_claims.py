"""Attack 69: no namespace changes hands, nor becomes anybody's, but by an admin's word."""

import http.client
from typing import Any

import pytest

from tests.controller.scene import API, Home, namespace_of, poll, tenant_of

CORE = "/api/v1/namespaces"
TENANTS = f"/apis/{API}/tenants"
MERGE = {"Content-Type": "application/merge-patch+json"}
pytestmark = pytest.mark.usefixtures("controller")


def tenant_in(home: Home, namespace: str) -> dict[str, Any]:
    """The tenant of its snapshot; empty as long as there is none."""
    found: dict[str, Any] = (home.policy(namespace) or {}).get("tenant") or {}
    return found


def wait_for(home: Home, namespace: str, tenant: str, *held: str) -> None:
    def is_so() -> bool:
        found = tenant_in(home, namespace)
        return (found.get("name"), found.get("namespaces")) == (tenant, [*held])

    poll(is_so, told=f"{namespace}: {tenant_in(home, namespace)}")


def read_uid(home: Home, namespace: str) -> str:
    metadata = home.plane.request("GET", f"{CORE}/{namespace}").json()["metadata"]
    return str((metadata.get("annotations") or {}).get("mca.io/tenant-uid", ""))


def patch(home: Home, path: str, change: Any) -> None:
    assert home.plane.request("PATCH", path, change, headers=MERGE).status == http.client.OK


def test_naming_is_not_enough(home: Home) -> None:
    """A Tenant that names a namespace without the admin's label gets nothing of it."""
    home.apply(
        namespace_of("clm-free"),
        namespace_of("clm-own", "clm-greedy"),
        tenant_of("clm-greedy", "clm-own", "clm-free"),
    )
    wait_for(home, "clm-own", "clm-greedy", "clm-own")
    assert (home.policy("clm-free") or {}).get("tenant") is None
    assert read_uid(home, "clm-free") == ""


def test_two_that_name_one_never_hold_it_both(home: Home) -> None:
    home.apply(
        namespace_of("clm-one", "clm-first"),
        namespace_of("clm-two", "clm-second"),
        tenant_of("clm-first", "clm-one", "clm-two"),
        tenant_of("clm-second", "clm-one", "clm-two"),
    )
    wait_for(home, "clm-one", "clm-first", "clm-one")
    wait_for(home, "clm-two", "clm-second", "clm-two")


def test_the_first_claim_sticks(home: Home) -> None:
    """Neither another label nor a later Tenant of the same name takes it over."""
    home.apply(
        namespace_of("clm-stick", "clm-old"),
        tenant_of("clm-old", "clm-stick"),
        tenant_of("clm-new", "clm-stick"),
    )
    wait_for(home, "clm-stick", "clm-old", "clm-stick")
    first = poll(lambda: read_uid(home, "clm-stick"))
    path = f"{CORE}/clm-stick"
    patch(home, path, {"metadata": {"labels": {"mca.io/tenant": "clm-new"}}})
    wait_for(home, "clm-stick", "clm-new")  # denies all
    patch(home, path, {"metadata": {"labels": {"mca.io/tenant": "clm-old"}}})
    wait_for(home, "clm-stick", "clm-old", "clm-stick")

    home.plane.request("DELETE", f"{TENANTS}/clm-old")
    poll(lambda: home.plane.request("GET", f"{TENANTS}/clm-old").status == http.client.NOT_FOUND)
    home.apply(tenant_of("clm-old", "clm-stick"))
    poll(lambda: home.condition(f"{TENANTS}/clm-old", "Accepted").get("status") == "True")
    wait_for(home, "clm-stick", "clm-old")
    assert read_uid(home, "clm-stick") == first
    patch(home, path, {"metadata": {"annotations": {"mca.io/tenant-uid": None}}})
    wait_for(home, "clm-stick", "clm-old", "clm-stick")
    poll(lambda: read_uid(home, "clm-stick") not in ("", first))


@pytest.mark.parametrize("namespace", ["kube-public", "default"])
def test_no_system_namespace_is_anybodys(home: Home, namespace: str) -> None:
    tenant = f"clm-{namespace}"
    selector = {"matchLabels": {"mca.io/tenant": tenant}}
    home.apply(tenant_of(tenant, namespaces={"selector": selector}))
    path = f"{CORE}/{namespace}"
    patch(home, path, {"metadata": {"labels": {"mca.io/tenant": tenant}}})
    try:
        wait_for(home, namespace, tenant)
        assert read_uid(home, namespace) == ""
    finally:
        patch(home, path, {"metadata": {"labels": {"mca.io/tenant": None}}})
        home.plane.request("DELETE", f"{TENANTS}/{tenant}")


def test_a_label_of_a_tenants_own_selects_nothing(home: Home) -> None:
    selector = {"matchLabels": {"team": "a"}}
    answer = home.plane.request(
        "POST", TENANTS, tenant_of("clm-label", namespaces={"selector": selector})
    )
    assert answer.status == http.client.UNPROCESSABLE_ENTITY
    assert b"must use labels of mca.io/ only" in answer.body
