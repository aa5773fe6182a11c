"""Owns how Tenants are followed and provisioned: whom a change concerns, what is done for one.

Must not plan, nor judge whose a namespace is.
"""

from functools import partial
from typing import Final

from webhook.controller.compiling.tenant_verdict import judge_tenant
from webhook.controller.engine.part import Follow, Part
from webhook.controller.engine.world import Kept, World
from webhook.controller.members.part import open_access
from webhook.controller.tenants.abroad import HOME, Abroad, choose_members
from webhook.controller.tenants.applying import Applier, ask_again
from webhook.controller.tenants.farewell import Farewell
from webhook.controller.tenants.finalizer import sign
from webhook.controller.tenants.following import Following, list_holders
from webhook.controller.tenants.inspection import Inspection, was_told
from webhook.controller.tenants.isolation import Address, Surroundings, find_address
from webhook.controller.tenants.kinds import Step
from webhook.controller.tenants.namespaces import Seen
from webhook.controller.tenants.observing import API_NAME, Objects, list_collections, watch_api
from webhook.controller.tenants.planning import View, plan_tenant
from webhook.controller.tenants.rests import Rests
from webhook.controller.tenants.steps import (
    Note,
    judge_members,
    judge_ready,
    judge_steps,
    note_people,
)
from webhook.controller.tenants.telling import Teller, read_held
from webhook.controller.tenants.visits import Visits
from webhook.controller.tenants.wishes import list_names, list_steps
from webhook.resources.claims import judge_claim
from webhook.resources.clusters import Cluster
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import LABEL_TENANT
from webhook.resources.tenants import Tenant
from webhook.watching.collection import Key

# Members may hold some of them up for as long as a visit lasts.
_WORKERS: Final = 8
_NEXT_S: Final = 1.0
# What an admin has to mend is often nothing that is watched, on members nothing is.
_LOOK_AGAIN_S: Final = 60.0
_MEMBERS_S: Final = 300.0
_API_KEY: Final = f"default/{API_NAME}"


def build_parts(world: World) -> list[Part]:
    """The one part, keyed by the Tenant's name."""
    return [Provisioning(world).part()]


class Provisioning:
    """All Tenants of one home."""

    def __init__(self, world: World) -> None:
        self._world = world
        collections = list_collections()
        self._stores = {kind: world.follow(kept) for kind, kept in collections.items()}
        self._objects = Objects(self._stores)
        self._api = world.follow(watch_api())
        self._following = Following(world)
        self._applier = Applier(world.writer)
        self._teller = Teller(world.writer, world.events)
        self._inspection = Inspection()
        self._rests, self._visits = Rests(), Visits()
        self._abroad = Abroad(
            world, open_access(world).open, self._list_servers, self._rests, self._inspection
        )
        self._farewell = Farewell(
            world, self._applier, self._teller, self._abroad, (self._inspection, self._visits)
        )

    def part(self) -> Part:
        """As the engine runs it."""
        return Part(
            "tenants",
            self.reconcile,
            follows=(
                *self._following.list_follows(),
                Follow(self._api, self._following.list_isolated),
                *(Follow(store, list_holders) for store in self._stores.values()),
            ),
            workers=_WORKERS,
            group=lambda key: key,
            begin_term=self._begin_term,
        )

    def _begin_term(self) -> None:
        for memory in (self._inspection, self._visits, self._rests, self._farewell):
            memory.begin_term()

    def reconcile(self, key: Key) -> float | None:
        """Bring one Tenant to what it states; what is wrong with it stands in its status."""
        kept = self._world.tenants.get(key)
        if kept is None:
            return None
        if kept.value.meta.deleting:
            return self._farewell.attend(kept)
        if isinstance(kept.value, Invalid):
            accepted = judge_tenant(kept.value, {}).condition(kept.value.meta.generation)
            ready = judge_ready([accepted], kept.value.meta.generation)
            self._teller.tell(kept, [accepted, ready], ())
            return None
        return self._provision(kept, kept.value)

    def _provision(self, kept: Kept[Tenant | Invalid], tenant: Tenant) -> float | None:
        sign(self._world.writer, tenant.meta)
        view = self._look(tenant)
        plan = plan_tenant(view)
        self._applier.forget(read_held(kept) - view.namespaces.keys())
        problems, told = self._applier.run(plan), was_told(kept.document)
        others = self._inspection.attend(
            HOME, self._world.writer, tenant, view.namespaces, plan, told=told
        )
        if plan.unfinished and not problems:
            return _NEXT_S  # what was written is seen sooner; until then there is nothing to tell
        problems += others.problems
        abroad, visit_s = self._visits.attend(
            tenant.uid,
            (tenant.meta.generation, view.servers),
            partial(self._abroad.attend, tenant, told=told),
        )
        generation = tenant.meta.generation
        notes = {}
        if names := list_names(tenant, view.servers):
            through = f"by name only, so let their addresses through: {', '.join(names)}"
            notes[Step.NETWORK] = Note(through)
        if others.people:
            notes[Step.ACCESS] = note_people(others.people)
        conditions = [
            judge_tenant(tenant, self._find_clusters(tenant)).condition(generation),
            *judge_steps(list_steps(tenant), problems, generation, notes),
            judge_members(choose_members(tenant), abroad, generation),
        ]
        conditions.append(judge_ready(conditions, generation))
        self._teller.tell(kept, conditions, plan.held)
        ask_again(problems)
        usual = _LOOK_AGAIN_S if problems or abroad else _MEMBERS_S
        if not (problems or abroad or tenant.on_members or others.people):
            return others.again_s
        return min(usual, others.again_s, visit_s or usual)

    def _look(self, tenant: Tenant) -> View:
        namespaces = self._world.namespaces
        names = dict.fromkeys(
            (
                *tenant.namespaces.names,
                *namespaces.find("tenant", tenant.name),
                *namespaces.find("uid", tenant.uid),
            )
        )
        system = self._world.settings.namespace
        seen = {}
        for name in names:
            meta = namespaces.get(name)
            if meta is not None:
                seen[name] = Seen(meta, judge_claim(meta, self._list_rivals(tenant, meta), system))
        return View(
            tenant,
            seen,
            self._objects.find(tenant.name),
            Surroundings(self._list_addresses(), system),
            self._list_servers(tenant),
            *self._applier.recall(seen.keys()),
        )

    def _list_rivals(self, tenant: Tenant, meta: Meta) -> dict[str, Tenant | Invalid]:
        """Who may hold the namespace."""
        other = self._world.tenants.get(meta.labels.get(LABEL_TENANT, ""))
        return {tenant.name: tenant} | ({other.value.name: other.value} if other else {})

    def _list_addresses(self) -> tuple[Address, ...]:
        own = find_address(self._world.kube.server)
        return (*([own] if own else []), *(self._api.get(_API_KEY) or ()))

    def _list_servers(self, tenant: Tenant) -> tuple[str, ...]:
        """Whom isolated pods may reach: what may not be used opens nothing."""
        found = self._find_clusters(tenant).values()
        return tuple(each.server for each in found if isinstance(each, Cluster) and each.accepted)

    def _find_clusters(self, tenant: Tenant) -> dict[str, Cluster | Invalid]:
        found = ((name, self._world.clusters.get(name)) for name in tenant.clusters)
        return {name: kept.value for name, kept in found if kept is not None}
