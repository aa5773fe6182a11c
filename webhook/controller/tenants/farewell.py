"""Owns the end of a Tenant: what it made is taken back at home and on members, then it may go.

Looked at live: what a watch has not told yet would be left behind. Must not let a Tenant go while
anybody has access by it.
"""

from functools import partial
from typing import Final

from webhook.controller.engine.world import Kept, World
from webhook.controller.tenants.applying import Applier
from webhook.controller.tenants.ending import Leave, plan_leave
from webhook.controller.tenants.kinds import MERGE_PATCH
from webhook.controller.tenants.members import Members, read_note
from webhook.controller.tenants.observing import fetch_namespaces, fetch_objects
from webhook.controller.tenants.steps import READY
from webhook.controller.tenants.telling import KIND, Teller
from webhook.kube import KubeError
from webhook.resources.conditions import Condition
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import FINALIZER, object_path
from webhook.resources.tenants import Tenant

_WAIT_S: Final = 10.0
_NOT_FOUND: Final = 404


class Farewell:
    """For all Tenants of one home."""

    def __init__(self, world: World, applier: Applier, teller: Teller, members: Members) -> None:
        self._world = world
        self._applier = applier
        self._teller = teller
        self._members = members

    def attend(self, kept: Kept[Tenant | Invalid]) -> float | None:
        """One more step of the way; None: it is done."""
        tenant, meta = kept.value, kept.value.meta
        if FINALIZER not in meta.finalizers:
            return None
        # What cannot be read asks for nothing to be deleted.
        delete = isinstance(tenant, Tenant) and tenant.namespaces.reclaim == "delete"
        waits, problems = self._applier.take_back(partial(self._plan, meta, delete=delete))
        abroad = self._members.leave(meta, read_note(meta), delete=delete)
        if not waits and not problems and not abroad:
            self._release(meta)
            return None
        told = [problem.message for problem in (*problems, *abroad)]
        if waits:
            told.append(f"waits for {', '.join(waits)} to end")
        ready = Condition(READY, False, "Deleting", "; ".join(told), meta.generation)
        self._teller.tell(kept, [ready], ())
        for problem in problems:
            if problem.passing:
                raise KubeError(0, problem.reason, problem.message)
        return _WAIT_S

    def _plan(self, meta: Meta, *, delete: bool) -> Leave:
        world = self._world
        claimed = tuple(world.namespaces.find("uid", meta.uid))
        return plan_leave(
            meta,
            fetch_namespaces(world.kube, meta.name, claimed),
            fetch_objects(world.kube, meta.name),
            delete=delete,
            system_namespace=world.settings.namespace,
        )

    def _release(self, meta: Meta) -> None:
        patch = {
            "metadata": {
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
                "finalizers": [name for name in meta.finalizers if name != FINALIZER],
            }
        }
        path = object_path(KIND, meta.name)
        try:
            self._world.writer.request("PATCH", path, patch, content_type=MERGE_PATCH)
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
