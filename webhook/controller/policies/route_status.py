"""Owns what is told of each Route: condition Accepted in its status, and an Event when it is not.

Must not judge a Route. What it says is written only where it is not said already; a flood of Routes
takes turns with other namespaces (attack 70).
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webhook.controller.compiling.verdicts import Verdict
from webhook.controller.engine.events import Regarding
from webhook.controller.engine.world import World
from webhook.controller.policies.route_shelf import KeptRoute, RouteShelf
from webhook.kube import KubeError
from webhook.resources.conditions import Condition, apply_status, now_text, same_conditions
from webhook.resources.meta import Invalid
from webhook.resources.names import API_VERSION, object_path
from webhook.resources.policy_objects import MANAGER
from webhook.resources.routes import Outline, Route
from webhook.watching.store import Change

if TYPE_CHECKING:
    from webhook.watching.collection import Key

AT_ONCE: Final = 50
_NEXT_S: Final = 0.2
# It is gone, or another one of its name is there; its own change has a turn of its own.
_GONE: Final = (404, 409)


class RouteStatus:
    """Says it, in the namespaces it is asked for."""

    def __init__(self, world: World, shelf: RouteShelf) -> None:
        self._world = world
        self._shelf = shelf
        self._said: dict[Key, Condition] = {}
        # Onto which version: until the watch tells of another, it need not be said again.
        self._applied: dict[Key, tuple[str, Condition]] = {}

    def begin_term(self) -> None:
        """What was said is of another term."""
        self._said.clear()
        self._applied.clear()

    def concerns(self, change: Change[KeptRoute]) -> bool:
        """Whether a change of a Route is more than what was written here."""
        key, old, new = change
        if new is None:
            self._said.pop(key, None)
            self._applied.pop(key, None)
            return True
        if old is None or _essence(old.value) != _essence(new.value):
            return True
        said = self._said.get(key)
        return said is None or not same_conditions([said], new.document)

    def tell(self, namespace: str, verdicts: Mapping[str, Verdict]) -> float | None:
        """Write what is not written yet; seconds until the rest, if there is more."""
        written = 0
        for key, kept in self._shelf.list_kept(namespace):
            name = kept.value.meta.name
            if name not in verdicts:  # it came a moment ago: its change has a turn of its own
                continue
            condition = verdicts[name].condition(kept.value.meta.generation)
            self._said[key] = condition
            applied = (kept.value.meta.resource_version, condition)
            if same_conditions([condition], kept.document) or self._applied.get(key) == applied:
                continue
            if written == AT_ONCE:
                return _NEXT_S
            written += 1
            if self._write(kept, condition):
                self._applied[key] = applied
        return None

    def _write(self, kept: KeptRoute, condition: Condition) -> bool:
        meta = kept.value.meta
        body = apply_status("Route", meta, [condition], kept.document, now_text(time.time()))
        path = f"{object_path('Route', meta.name, meta.namespace)}/status"
        try:
            self._world.writer.apply(path, body, MANAGER)
        except KubeError as error:
            if error.status not in _GONE:
                raise
            return False
        if condition.status is False:
            regarding = Regarding(API_VERSION, "Route", meta.name, meta.namespace, meta.uid)
            self._world.events.tell(regarding, condition.reason, condition.message, warning=True)
        return True


def _essence(value: Route | Outline | Invalid) -> Route | Outline | Invalid:
    """What compiling takes of it."""
    return value._replace(meta=value.meta._replace(resource_version=""))
