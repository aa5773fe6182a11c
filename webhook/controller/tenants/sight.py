"""Owns what is seen live of a Tenant's objects at one cluster, however much others put beside it.

Whoever may write in any namespace of a member can put the Tenant's label onto as much as they like.
So a list of all namespaces that is too long is given up for those of the Tenant's own namespaces,
each with a bound of its own, and access that hides in too long a list is asked for by its name.
Must not judge what is seen.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from webhook.answers import TOO_LONG, TOO_MANY
from webhook.controller.tenants.kinds import BINDING, KINDS, Kind, Place
from webhook.controller.tenants.observing import fetch_all, keep_object
from webhook.controller.tenants.planning import Found
from webhook.controller.tenants.rests import VISIT_S
from webhook.kube import Kube, KubeError
from webhook.resources.meta import Meta, RawDocument, read_meta
from webhook.resources.names import LABEL_TENANT, NAMESPACES_PATH, TENANT_UID
from webhook.resources.profiles import build_roles

_TOO_MUCH: Final = (TOO_LONG, TOO_MANY)
# Of a visit's bytes: for the lists of all namespaces, for those namespaces, for each list in one.
_EVERYWHERE_BYTES: Final = 4 << 20
_NAMESPACES_BYTES: Final = 4 << 20
_ONE_LIST_BYTES: Final = 256 << 10
_NOT_FOUND: Final = 404


class Sight(NamedTuple):
    """`unseen` tells for people what could not be looked through."""

    objects: dict[Place, Found]
    unseen: tuple[str, ...] = ()


def look_for_objects(
    kube: Kube, tenant: Meta, known: Iterable[str], kinds: tuple[Kind, ...] = KINDS
) -> Sight:
    """A Tenant's in all namespaces. `known` are those that are its own, as far as one knows."""
    everywhere = kube.for_at_most(VISIT_S / 2, _EVERYWHERE_BYTES) if kube.is_foreign else kube
    try:
        return Sight(fetch_objects(everywhere, tenant.name, kinds))
    except KubeError as error:
        if not kube.is_foreign or error.reason not in _TOO_MUCH:
            raise
    names: set[str] = set(known)
    unseen: list[str] = []
    try:
        names |= set(_list_claimed(kube, tenant.uid))
    except KubeError as error:
        if error.reason not in _TOO_MUCH:
            raise
        unseen.append(f"its namespaces could not be listed: {error}")
    seen: dict[Place, Found] = {}
    # Access first: what there is for all of it may not last.
    for kind in sorted(kinds, key=lambda kind: kind != BINDING):
        for name in sorted(names):
            sight = _look_into(kube, tenant.name, kind, name)
            seen |= sight.objects
            unseen += sight.unseen
    return Sight(seen, tuple(unseen))


def fetch_objects(
    kube: Kube,
    tenant: str,
    kinds: Iterable[Kind] = KINDS,
    within: tuple[str, ...] | None = None,
) -> dict[Place, Found]:
    """A tenant's, as they are now; `within` these namespaces only."""
    selector = {"labelSelector": f"{LABEL_TENANT}={tenant}"}
    seen: dict[Place, Found] = {}
    for kind in kinds:
        paths = [kind.collection] if within is None else [kind.path(name) for name in within]
        for path in paths:
            seen |= dict(_keep(kind, fetch_all(kube, path, selector)))
    return seen


def _keep(kind: Kind, found: Iterable[RawDocument]) -> Iterator[tuple[Place, Found]]:
    keep = keep_object(kind)
    for raw in found:
        meta = read_meta(raw)
        yield Place(kind, meta.namespace, meta.name), keep(raw)


def _list_claimed(kube: Kube, uid: str) -> Iterator[str]:
    bounded = kube.for_at_most(VISIT_S, _NAMESPACES_BYTES)
    for meta in map(read_meta, fetch_all(bounded, NAMESPACES_PATH)):
        if meta.annotations.get(TENANT_UID) == uid:
            yield meta.name


def _look_into(kube: Kube, tenant: str, kind: Kind, name: str) -> Sight:
    bounded = kube.for_at_most(VISIT_S, _ONE_LIST_BYTES)
    try:
        return Sight(fetch_objects(bounded, tenant, (kind,), (name,)))
    except KubeError as error:
        if error.reason not in _TOO_MUCH:
            raise
    told = (
        f"namespace {name!r}: {kind.plural} with the label {LABEL_TENANT}={tenant} are more than "
        "is looked through: delete those that are not MCA's, or take the label off them"
    )
    return Sight(_fetch_profiles(kube, name) if kind == BINDING else {}, (told,))


def _fetch_profiles(kube: Kube, namespace: str) -> dict[Place, Found]:
    """RoleBindings to profiles have their names, which the guards keep."""
    seen: dict[Place, Found] = {}
    keep = keep_object(BINDING)
    for role in build_roles():
        place = Place(BINDING, namespace, role["metadata"]["name"])
        try:
            seen[place] = keep(kube.request("GET", place.path).document)
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
    return seen
