"""Owns which Tenants a change concerns.

Must not tell of what makes no difference to them: a status that is written, a probe of a member.
"""

from collections.abc import Iterator
from typing import Any, Final

from webhook.controller.engine.part import Follow
from webhook.controller.engine.world import Kept, World
from webhook.controller.tenants.planning import Found
from webhook.resources.clusters import Cluster
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import LABEL_TENANT, TENANT_UID
from webhook.resources.tenants import Tenant
from webhook.watching.collection import Key
from webhook.watching.store import Change

_NAMED: Final = "named"


class Following:
    """Of one home."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.tenants.add_index(_NAMED, lambda _, kept: _list_named(kept.value))

    def list_follows(self) -> tuple[Follow[Any], ...]:
        """By the stores that every part has."""
        world = self._world
        return (
            Follow(world.tenants, list_changed),
            Follow(world.namespaces, self.list_concerned),
            Follow(world.clusters, self.list_users),
        )

    def list_concerned(self, change: Change[Meta]) -> Iterator[Key]:
        """Whose label or claim a namespace has or had, and who names it."""
        yield from self._world.tenants.find(_NAMED, change.key)
        for meta in (change.old, change.new):
            if meta is not None:
                if LABEL_TENANT in meta.labels:
                    yield meta.labels[LABEL_TENANT]
                yield from self._world.tenants.find("uid", meta.annotations.get(TENANT_UID, ""))

    def list_users(self, change: Change[Kept[Cluster | Invalid]]) -> list[Key]:
        """Who may use a Cluster."""
        if _strip(change.old) == _strip(change.new):
            return []
        return self._world.tenants.find("cluster", change.key)

    def list_isolated(self, _change: Change[Any]) -> list[Key]:
        """Whose pods are let through to the API server's addresses."""
        return [
            key
            for key, kept in self._world.tenants.items()
            if isinstance(kept.value, Tenant) and kept.value.network.isolate
        ]


def list_changed(change: Change[Kept[Tenant | Invalid]]) -> list[Key]:
    """A Tenant itself."""
    return [] if _strip(change.old) == _strip(change.new) else [change.key]


def list_holders(change: Change[Found]) -> set[Key]:
    """Whose label an object has or had."""
    found = {value.tenant for value in (change.old, change.new) if value is not None}
    return found - {""}


def _list_named(value: Tenant | Invalid) -> tuple[str, ...]:
    return value.namespaces.names if isinstance(value, Tenant) else ()


def _strip(kept: Kept[Any] | None) -> object:
    """Without what every write changes."""
    if kept is None:
        return None
    return kept.value._replace(meta=kept.value.meta._replace(resource_version=""))
