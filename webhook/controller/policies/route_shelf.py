"""Owns what is remembered of Routes: as many of a namespace's as can count, a line of each other.

Whoever may edit in any namespace makes Routes, as many and as large as they like. So of each no
more is kept than compiling and its status need. Where one of which there is only a line comes to
count, it is read again. Must not judge them.
"""

import sys
from collections.abc import Iterable
from typing import Final, NamedTuple

from webhook.controller.compiling.room import Room, choose_counted
from webhook.controller.compiling.verdicts import ACCEPTED
from webhook.controller.engine.world import World
from webhook.kube import KubeError
from webhook.resources.meta import Invalid, Meta, RawDocument, documents, mapping
from webhook.resources.names import ROUTES_PATH, object_path
from webhook.resources.routes import Outline, Route, Size, parse_route
from webhook.watching.collection import Collection, Key
from webhook.watching.store import Change, Store

_INDEX: Final = "namespace"
_MAX_PROBLEMS: Final = 5
_CALL_S: Final = 10.0
_NOT_FOUND: Final = 404


class KeptRoute(NamedTuple):
    """A Route, and the condition that its status has."""

    value: Route | Outline | Invalid
    accepted: RawDocument | None = None

    @property
    def document(self) -> RawDocument:
        """What of the object is asked for when its status is written."""
        meta = self.value.meta
        return {
            "metadata": {
                "resourceVersion": meta.resource_version,
                "generation": meta.generation,
            },
            "status": {"conditions": [self.accepted] if self.accepted else []},
        }


class RouteShelf:
    """All Routes of one home. Filled by a reflector's thread, read by workers."""

    def __init__(self, world: World) -> None:
        self._kube = world.kube
        self._whole: dict[str, dict[str, Size]] = {}  # by namespace and name, in the store
        self._read: dict[str, dict[str, Route | Outline | Invalid]] = {}  # again, and not in it
        self.store: Final[Store[KeptRoute]] = world.follow(Collection(ROUTES_PATH, self.keep))
        self.store.add_index(_INDEX, lambda key, _: (_namespace(key),))
        self.store.listen(self._hear)

    def keep(self, document: RawDocument) -> KeptRoute:
        """Of one that is new, or was changed."""
        value = parse_route(document)
        meta = _plain(value.meta)
        self._give_up(meta.namespace, meta.name)
        accepted = next(map(_share, filter(_is_accepted, _list_conditions(document))), None)
        if isinstance(value, Invalid):
            return KeptRoute(Invalid(meta, value.problems[:_MAX_PROBLEMS]), accepted)
        if self._take(value):
            return KeptRoute(value._replace(meta=meta), accepted)
        return KeptRoute(Outline(meta, value.priority, value.size), accepted)

    def list_kept(self, namespace: str) -> list[tuple[Key, KeptRoute]]:
        """A namespace's, with their keys."""
        found = ((key, self.store.get(key)) for key in self.store.find(_INDEX, namespace))
        return [(key, kept) for key, kept in found if kept is not None]

    def list_routes(self, namespace: str) -> list[Route | Outline | Invalid]:
        """A namespace's; those that count whole. KubeError: one of them cannot be read."""
        values = [kept.value for _, kept in self.list_kept(namespace)]
        lines = [value for value in values if isinstance(value, Outline)]
        if not lines:
            self.forget(namespace)
            return values
        counted = {route.name for route in choose_counted(values).counted}
        before = self._read.get(namespace, {})
        read = {
            line.name: self._complete(line, before.get(line.name))
            for line in lines
            if line.name in counted
        }
        self._read[namespace] = read
        return [read.get(value.name, value) for value in values]

    def begin_term(self) -> None:
        """What was read again is of another term; the store goes on."""
        self._read.clear()

    def forget(self, namespace: str) -> None:
        """What was read again for it."""
        self._read.pop(namespace, None)

    def _complete(
        self, line: Outline, before: Route | Outline | Invalid | None
    ) -> Route | Outline | Invalid:
        if before is not None and _version(before.meta) == _version(line.meta):
            return before
        path = object_path("Route", line.name, line.meta.namespace)
        try:
            value = parse_route(self._kube.request("GET", path, timeout_s=_CALL_S).document)
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
            return line  # it is gone, which the watch will tell
        return value._replace(meta=_plain(value.meta))

    def _take(self, route: Route) -> bool:
        """Whether it can be kept whole beside others of its namespace, which were there before."""
        held = self._whole.get(route.meta.namespace, {})
        room, size = Room(), route.size
        fits = all(map(room.take, (*held.values(), size)))
        if fits:
            self._whole[route.meta.namespace] = {**held, route.name: size}
        return fits

    def _give_up(self, namespace: str, name: str) -> None:
        held = self._whole.get(namespace, {})
        held.pop(name, None)
        if not held:
            self._whole.pop(namespace, None)

    def _hear(self, change: Change[KeptRoute]) -> None:
        if change.new is None and change.old is not None:
            self._give_up(change.old.value.meta.namespace, change.old.value.name)


def _list_conditions(document: RawDocument) -> Iterable[RawDocument]:
    return documents(mapping(document.get("status")).get("conditions"))


def _is_accepted(condition: RawDocument) -> bool:
    return condition.get("type") == ACCEPTED


def _namespace(key: Key) -> str:
    return key.partition("/")[0]


def _share(condition: RawDocument) -> RawDocument:
    """One text for all that say the same: of a flood each is told the same."""
    return {
        key: sys.intern(value) if isinstance(value, str) else value
        for key, value in condition.items()
    }


def _plain(meta: Meta) -> Meta:
    """Without all that its author may fill with words."""
    return Meta(
        meta.name,
        uid=meta.uid,
        namespace=sys.intern(meta.namespace),
        generation=meta.generation,
        deleting=meta.deleting,
        resource_version=meta.resource_version,
    )


def _version(meta: Meta) -> tuple[str, int]:
    """Of what it says, not of its status."""
    return meta.uid, meta.generation
