"""Owns how a Tenant that is deleted leaves: access first, then what it made, if so asked. Pure.

Only what carries its mark is deleted: nothing in a namespace that has passed to another Tenant, and
no namespace that an admin took away by its label. Retained ones keep what bounds them, and their
policy closes them. Must not write.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from webhook.controller.tenants.kinds import BINDING, Place, place_namespace
from webhook.controller.tenants.planning import Found, is_ours
from webhook.controller.tenants.steps import Remove
from webhook.resources.claims import is_system
from webhook.resources.meta import Meta
from webhook.resources.names import CREATED_BY, LABEL_TENANT, TENANT_UID

_SHOWN: Final = 5


class Leave(NamedTuple):
    """What is to be deleted now, and what is still there."""

    writes: tuple[Remove, ...]
    waits: tuple[str, ...]


def plan_leave(
    tenant: Meta,
    namespaces: Mapping[str, Meta],
    objects: Mapping[Place, Found],
    *,
    delete: bool,
    system_namespace: str,
) -> Leave:
    """The Tenant may go when nothing is awaited."""
    uid = tenant.uid
    ours = {place: found for place, found in objects.items() if is_ours(uid, place, found)}
    access = {
        place: found
        for place, found in ours.items()
        if place.kind == BINDING and (not found.ending or _is_held(namespaces, place, uid))
    }
    if access or not delete:
        return _leave(access, {})
    lent = list_staying(tenant, namespaces, system_namespace, delete=True)
    objects = {
        place: found
        for place, found in ours.items()
        if place.namespace in lent and not found.ending  # who holds it up holds nobody else up
    }
    return _leave(objects, _find_made(tenant, namespaces, system_namespace))


def list_staying(
    tenant: Meta, namespaces: Mapping[str, Meta], system_namespace: str, *, delete: bool
) -> frozenset[str]:
    """Those of the Tenant's that are there when it is gone."""
    held = {
        name for name, meta in namespaces.items() if meta.annotations.get(TENANT_UID) == tenant.uid
    }
    made = _find_made(tenant, namespaces, system_namespace) if delete else {}
    return frozenset(held - made.keys())


def _find_made(
    tenant: Meta, namespaces: Mapping[str, Meta], system_namespace: str
) -> dict[str, Meta]:
    return {
        name: meta
        for name, meta in namespaces.items()
        if meta.annotations.get(CREATED_BY) == tenant.uid
        and meta.annotations.get(TENANT_UID) == tenant.uid
        and meta.labels.get(LABEL_TENANT) == tenant.name
        and not is_system(name, system_namespace)
    }


def _is_held(namespaces: Mapping[str, Meta], place: Place, uid: str) -> bool:
    namespace = namespaces.get(place.namespace)
    return namespace is not None and namespace.annotations.get(TENANT_UID) == uid


def _leave(objects: Mapping[Place, Found], namespaces: Mapping[str, Meta]) -> Leave:
    removed = [
        *(Remove(place, found.uid) for place, found in objects.items() if not found.ending),
        *(
            Remove(place_namespace(name), meta.uid)
            for name, meta in namespaces.items()
            if not meta.deleting
        ),
    ]
    awaited = [place.shown for place in objects] + [f"Namespace {name}" for name in namespaces]
    shown = sorted(awaited)
    more = [f"and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    writes = sorted(removed, key=lambda write: write.place.path)
    return Leave(tuple(writes), (*shown[:_SHOWN], *more))
