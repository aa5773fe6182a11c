"""Owns a Tenant's namespaces on its members: the same plan, looked at live, cluster by cluster.

Where it has been is noted on the Tenant before anything is written there, so that nothing is
forgotten after a crash. A member that does not answer holds up nobody else. Must not open a member
that is no Cluster any more.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, NamedTuple

from sidecar.log import log_event
from webhook.answers import TOO_MANY
from webhook.controller.engine.world import World
from webhook.controller.tenants.applying import Applier
from webhook.controller.tenants.ending import Leave, list_staying
from webhook.controller.tenants.inspection import Inspection, look_into, withdraw
from webhook.controller.tenants.isolation import Address, Surroundings, find_address
from webhook.controller.tenants.kinds import Step
from webhook.controller.tenants.leaving import look_at_leave
from webhook.controller.tenants.namespaces import Seen
from webhook.controller.tenants.observing import fetch_api, fetch_namespaces
from webhook.controller.tenants.planning import View, plan_tenant
from webhook.controller.tenants.rests import VISIT_BYTES, VISIT_S, Rests
from webhook.controller.tenants.sight import Sight, look_for_objects
from webhook.controller.tenants.steps import Problem
from webhook.kube import MERGE_PATCH, NOT_LEADING, Kube, KubeError
from webhook.resources.claims import judge_claim
from webhook.resources.clusters import READY
from webhook.resources.conditions import read_conditions
from webhook.resources.meta import Meta, read_meta
from webhook.resources.names import SYSTEM_NAMESPACE, object_path
from webhook.resources.tenants import Tenant
from webhook.serving.faults import locate_fault

NOTE: Final = "mca.io/provisioned-members"
HOME: Final = "home"
# Namespaces first, what stands in them next; the third finds nothing left to do.
_ROUNDS: Final = 3


class Abroad(NamedTuple):
    """`open_member` gives the caller a connection to close."""

    world: World
    open_member: Callable[[str], Kube]
    servers: Callable[[Tenant], tuple[str, ...]]
    rests: Rests
    inspection: Inspection

    def attend(self, tenant: Tenant, *, told: bool) -> list[Problem]:
        """Provision where that is asked, withdraw where it is no more; what is wrong."""
        meta, wanted = tenant.meta, choose_members(tenant)
        noted = read_note(meta)
        if set(wanted) - set(noted):
            meta = self._note(meta, [*wanted, *noted])
        problems = self.leave(meta, set(noted) - set(wanted), delete=False)
        if not problems and set(noted) - set(wanted):
            self._note(meta, wanted)
        return problems + self.provision(tenant, wanted, told=told)

    def provision(self, tenant: Tenant, names: Sequence[str], *, told: bool) -> list[Problem]:
        """What is wrong, member by member."""
        found = []
        for name in names:
            work = partial(self._provision, name, tenant=tenant, told=told)
            found += self._visit(name, work)
        return found

    def leave(self, meta: Meta, names: Collection[str], *, delete: bool) -> list[Problem]:
        """Withdraw access, and what was made if it is to be deleted; empty: all of it is gone."""
        return [
            problem
            for name in sorted(names)
            if self.world.clusters.get(name) is not None
            for problem in self._visit(name, lambda kube: _leave(kube, meta, delete=delete))
        ]

    def _note(self, meta: Meta, names: Collection[str]) -> Meta:
        """The Tenant as it is then. KubeError: it is not what was read, and so may its note be."""
        told = ",".join(sorted(set(names))) or None
        version = {"uid": meta.uid, "resourceVersion": meta.resource_version}
        patch = {"metadata": {**version, "annotations": {NOTE: told}}}
        path = object_path("Tenant", meta.name)
        answer = self.world.writer.request("PATCH", path, patch, content_type=MERGE_PATCH)
        return read_meta(answer.document)

    def _visit(self, name: str, work: Callable[[Kube], list[Problem]]) -> list[Problem]:
        if self.world.clusters.get(name) is None:
            self.rests.forget(name)
        try:
            kube = self.open_member(name)
            try:
                self.rests.ask(name, self._find_failure(name))
                with self.rests.watch(name):
                    found = _work(work, kube.for_at_most(VISIT_S, VISIT_BYTES))
            finally:
                kube.close()
        except KubeError as error:
            if error.reason == NOT_LEADING:
                raise
            found = [Problem(Step.NAMESPACES, "", error.reason or "Unreachable", str(error), True)]
        return [problem._replace(message=f"{name}: {problem.message}") for problem in found]

    def _find_failure(self, name: str) -> str:
        """What was found out by those who look at members all the time; empty if it answers."""
        kept = self.world.clusters.get(name)
        ready = read_conditions(kept.document).get(READY) if kept else None
        return ready.message if ready is not None and ready.status is False else ""

    def _provision(self, name: str, kube: Kube, tenant: Tenant, *, told: bool) -> list[Problem]:
        applier = Applier(kube)
        address = find_address(kube.server)
        api: tuple[Address, ...] = (*([address] if address else []), *fetch_api(kube))
        problems: list[Problem] = []
        for _ in range(_ROUNDS):
            view, unseen = self._look(kube, tenant, api, applier)
            plan = plan_tenant(view)
            problems = [*applier.run(plan), *unseen]
            others = self.inspection.attend(name, kube, tenant, view.namespaces, plan, told=told)
            problems += others.problems
            if not plan.writes:
                break
        return problems

    def _look(
        self, kube: Kube, tenant: Tenant, api: tuple[Address, ...], applier: Applier
    ) -> tuple[View, list[Problem]]:
        found = fetch_namespaces(kube, tenant.name, tenant.namespaces.names)
        namespaces = {
            name: Seen(meta, judge_claim(meta, {tenant.name: tenant}))
            for name, meta in found.items()
        }
        sight = look_for_objects(kube, tenant.meta, namespaces)
        view = View(
            tenant,
            namespaces,
            sight.objects,
            Surroundings(api, SYSTEM_NAMESPACE),
            self.servers(tenant),
            *applier.recall(namespaces.keys()),
            home=False,
        )
        return view, _tell_unseen(sight)


def _work(work: Callable[[Kube], list[Problem]], kube: Kube) -> list[Problem]:
    """What a member answers must not end what is done for others, however odd it is."""
    try:
        return work(kube)
    except KubeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever reading such an answer raises
        fault = locate_fault(error)
        log_event("error", "member_answer_unreadable", server=kube.server, problem=fault)
        told = f"{kube.server}: it answers what cannot be read ({fault})"
        raise KubeError(0, "OddAnswer", told) from None


def _tell_unseen(sight: Sight) -> list[Problem]:
    return [Problem(Step.NAMESPACES, "", TOO_MANY, told, True) for told in sight.unseen]


def choose_members(tenant: Tenant) -> list[str]:
    """Where it is to be provisioned, beside home."""
    return sorted(set(tenant.clusters) - {HOME}) if tenant.on_members else []


def read_note(meta: Meta) -> list[str]:
    """Where it has been provisioned, or was about to be."""
    return sorted(filter(None, meta.annotations.get(NOTE, "").split(",")))


def _leave(kube: Kube, meta: Meta, *, delete: bool) -> list[Problem]:
    def plan() -> Leave:
        return look_at_leave(kube, meta, (), delete=delete, system_namespace=SYSTEM_NAMESPACE)

    waits, problems = Applier(kube).take_back(plan)
    if not waits and not problems:
        left = fetch_namespaces(kube, meta.name, ())
        for name in sorted(list_staying(meta, left, SYSTEM_NAMESPACE, delete=delete)):
            seen = look_into(kube, name, (), isolated=False)
            problems += [*withdraw(kube, seen), *seen.problems]
    if waits and not problems:
        told = f"waits for {', '.join(waits)} to end"
        problems = [Problem(Step.NAMESPACES, "", "Ending", told, passing=True)]
    return problems
