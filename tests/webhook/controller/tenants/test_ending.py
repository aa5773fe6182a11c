"""What is taken back when a Tenant is deleted, and what is never touched."""

from typing import Any

import pytest

from tests.webhook.controller.tenants.examples import (
    AROUND,
    FULL,
    UID,
    find_as_wished,
    make_namespace,
    make_tenant,
)
from webhook.controller.tenants.ending import Leave, plan_leave
from webhook.controller.tenants.kinds import BINDING, QUOTA, Place
from webhook.controller.tenants.planning import Found
from webhook.controller.tenants.steps import Remove
from webhook.controller.tenants.wishes import list_wishes
from webhook.resources.meta import Meta

TENANT = make_tenant(**FULL)
OBJECTS = find_as_wished(list_wishes(TENANT, "acme-a", AROUND, ()))
BOUNDS = {place: found for place, found in OBJECTS.items() if place.kind != BINDING}


def leave(namespace: Meta | None, objects: dict[Place, Found], *, delete: bool) -> Leave:
    namespaces = {namespace.name: namespace} if namespace else {}
    return plan_leave(
        TENANT.meta, namespaces, objects, delete=delete, system_namespace="mca-system"
    )


@pytest.mark.parametrize("delete", [True, False])
def test_access_goes_first_whatever_follows(delete: bool) -> None:
    found = leave(make_namespace("acme-a", creator=UID), OBJECTS, delete=delete)
    (write,) = found.writes
    assert write.place.kind == BINDING
    assert found.waits == ("RoleBinding acme-a/mca-profile-standard",)


def test_retained_namespaces_keep_what_bounds_them() -> None:
    assert leave(make_namespace("acme-a", creator=UID), BOUNDS, delete=False) == Leave((), ())


def test_a_namespace_that_was_made_goes_as_a_whole() -> None:
    found = leave(make_namespace("acme-a", creator=UID), BOUNDS, delete=True)
    assert [write.place.shown for write in found.writes] == ["Namespace acme-a"]
    assert found.writes[0].uid == "uid-of-acme-a"


def test_one_that_was_there_before_loses_only_what_was_made() -> None:
    found = leave(make_namespace("acme-a"), BOUNDS, delete=True)
    assert len(found.writes) == len(BOUNDS) == 6
    assert all(write.place.kind is not None for write in found.writes)
    assert found.waits[-1] == "and 1 more"


@pytest.mark.parametrize(
    "namespace",
    [
        make_namespace("acme-a", creator=UID, uid="another"),
        make_namespace("acme-a", creator=UID, uid=""),
        make_namespace("acme-a", creator="another", uid="another"),
    ],
)
def test_one_that_has_passed_on_is_not_touched(namespace: Meta) -> None:
    assert leave(namespace, BOUNDS, delete=True) == Leave((), ())


@pytest.mark.parametrize("tenant", ["", "other"])
def test_one_that_an_admin_took_away_stays(tenant: str) -> None:
    found = leave(make_namespace("acme-a", tenant=tenant, creator=UID), BOUNDS, delete=True)
    assert not any(write.place.kind is None for write in found.writes)


@pytest.mark.parametrize("name", ["kube-system", "default", "mca-system"])
def test_system_namespaces_are_never_deleted(name: str) -> None:
    """Whoever may write such an annotation there could delete it anyway; but not by us."""
    assert leave(make_namespace(name, creator=UID), {}, delete=True) == Leave((), ())


def test_others_objects_stay() -> None:
    objects: dict[Any, Found] = {
        Place(QUOTA, "acme-a", "theirs"): Found("x", "acme", "", ""),
        Place(BINDING, "acme-a", "theirs"): Found("x", "acme", "another", ""),
        Place(QUOTA, "gone", "mca-quota"): Found("x", "acme", UID, ""),
        Place(BINDING, "acme-a", "forged"): Found("x", "acme", UID, ""),
    }
    assert leave(make_namespace("acme-a"), objects, delete=True) == Leave((), ())


def test_what_ends_already_is_only_awaited() -> None:
    binding = Place(BINDING, "acme-a", "mca-profile-standard")
    ending = {binding: Found("x", "acme", UID, "", ending=True)}
    held = make_namespace("acme-a")
    assert leave(held, ending, delete=False) == Leave((), (binding.shown,))
    # Elsewhere nobody can hold the Tenant up by marks and a finalizer.
    assert leave(None, ending, delete=False) == Leave((), ())
    quota = {Place(QUOTA, "acme-a", "mca-quota"): Found("x", "acme", UID, "", ending=True)}
    assert leave(held, quota, delete=True) == Leave((), ())
    namespace = make_namespace("acme-a", creator=UID, deleting=True)
    assert leave(namespace, {}, delete=True) == Leave((), ("Namespace acme-a",))


def test_deleted_is_this_very_object() -> None:
    binding = Place(BINDING, "acme-a", "mca-profile-standard")
    assert leave(None, {binding: Found("x", "acme", UID, "")}, delete=False).writes == (
        Remove(binding, "x"),
    )
