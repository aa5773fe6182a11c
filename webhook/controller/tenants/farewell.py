"""Owns the end of a Tenant: what it made is taken back at home and on members, then it may go.

Looked at live: what a watch has not told yet would be left behind. Must not let a Tenant go while
anybody has access by it.
"""

import calendar
import time
from functools import partial
from typing import Final

from webhook.controller.engine.world import Kept, World
from webhook.controller.tenants.abroad import Abroad, read_note
from webhook.controller.tenants.applying import Applier, ask_again
from webhook.controller.tenants.ending import Leave, list_staying
from webhook.controller.tenants.finalizer import release
from webhook.controller.tenants.inspection import Inspection, look_into, withdraw
from webhook.controller.tenants.leaving import look_at_leave
from webhook.controller.tenants.steps import READY, shorten
from webhook.controller.tenants.telling import Teller, read_held
from webhook.controller.tenants.visits import Visits
from webhook.resources.conditions import Condition
from webhook.resources.meta import Invalid, Meta, RawDocument, mapping
from webhook.resources.names import FINALIZER
from webhook.resources.tenants import Tenant

# What it waits for wakes it, at home; the longer it lasts, the less often it is looked at.
_SHORTEST_S: Final = 10.0
_LONGEST_S: Final = 300.0


class Farewell:
    """For all Tenants of one home."""

    def __init__(
        self,
        world: World,
        applier: Applier,
        teller: Teller,
        abroad: Abroad,
        memories: tuple[Inspection, Visits],
    ) -> None:
        self._world = world
        self._applier = applier
        self._teller = teller
        self._abroad = abroad
        self._memories = memories
        self._swept: set[str] = set()  # by uid: what others put there is looked at once

    def attend(self, kept: Kept[Tenant | Invalid]) -> float | None:
        """One more step of the way; None: it is done."""
        tenant, meta = kept.value, kept.value.meta
        if FINALIZER not in meta.finalizers:
            return None
        # What cannot be read asks for nothing to be deleted.
        delete = isinstance(tenant, Tenant) and tenant.namespaces.reclaim == "delete"
        if meta.uid not in self._swept:
            self._sweep(meta, delete=delete)
            self._swept.add(meta.uid)
        waits, problems = self._applier.take_back(partial(self._plan, meta, delete=delete))
        abroad = self._abroad.leave(meta, read_note(meta), delete=delete)
        if not waits and not problems and not abroad:
            release(self._world.writer, meta)
            self._swept.discard(meta.uid)
            for memory in self._memories:
                memory.forget(meta.uid)
            self._applier.forget(read_held(kept))
            return None
        told = [problem.message for problem in (*problems, *abroad)]
        if waits:
            told.append(f"waits for {', '.join(waits)} to end")
        ready = Condition(READY, False, "Deleting", "; ".join(told), meta.generation)
        self._teller.tell(kept, [ready], ())
        ask_again(problems)
        return choose_wait(kept.document, time.time())

    def begin_term(self) -> None:
        """Others have worked meanwhile."""
        self._swept.clear()

    def _plan(self, meta: Meta, *, delete: bool) -> Leave:
        world = self._world
        claimed = tuple(world.namespaces.find("uid", meta.uid))
        system = world.settings.namespace
        return look_at_leave(world.kube, meta, claimed, delete=delete, system_namespace=system)

    def _sweep(self, meta: Meta, *, delete: bool) -> None:
        """Whom others have given a profile loses it; who else keeps access is told, once."""
        namespaces, system = self._world.namespaces, self._world.settings.namespace
        left = []
        found = ((name, namespaces.get(name)) for name in namespaces.find("uid", meta.uid))
        held = {name: namespace for name, namespace in found if namespace is not None}
        for name in sorted(list_staying(meta, held, system, delete=delete)):
            seen = look_into(self._world.writer, name, (), isolated=False)
            failed = [*withdraw(self._world.writer, seen), *seen.problems]
            left += [*(problem.message for problem in failed), *seen.people]
        if left:
            self._teller.warn(meta, "AccessLeft", f"others still have access: {shorten(left)}")


def choose_wait(document: RawDocument, now: float) -> float:
    """Until a Tenant that cannot end is looked at again: a quarter of the time that it took."""
    told = str(mapping(document.get("metadata")).get("deletionTimestamp"))
    try:
        since = now - calendar.timegm(time.strptime(told, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return _LONGEST_S
    return min(_LONGEST_S, max(_SHORTEST_S, since / 4))
