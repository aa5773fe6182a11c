"""Owns the part "policies": what is done in one namespace.

Must not look at other namespaces. An object that was once made in a namespace is kept true for as
long as that lives: pods may still read it, and who is no more a tenant's must learn it (attack 68).
"""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from sidecar.log import log_event
from webhook.controller.compiling.case import Case
from webhook.controller.compiling.policy import Compiled, compile_policy
from webhook.controller.engine.events import Regarding
from webhook.controller.engine.part import Follow, Part
from webhook.controller.engine.world import World
from webhook.controller.policies.authority import Authority
from webhook.controller.policies.concerns import Concerns
from webhook.controller.policies.holdings import Holdings
from webhook.controller.policies.placing import SEEN_S, Places
from webhook.controller.policies.restorations import Restorations
from webhook.controller.policies.route_shelf import KeptRoute, RouteShelf
from webhook.controller.policies.route_status import RouteStatus
from webhook.kube import KubeError
from webhook.resources.claims import needs_policy
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import POLICY
from webhook.resources.policy_objects import (
    Wanted,
    build_binding,
    build_map,
    keep_binding,
    keep_map,
)
from webhook.resources.routes import Outline, Route
from webhook.watching.collection import Collection, Key
from webhook.watching.store import Change

NAME: Final = "policies"
_ONLY: Final = (("fieldSelector", f"metadata.name={POLICY}"),)
_CORE: Final = "/api/v1"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_NOT_FOUND: Final = 404
# Refused, by a quota say: somebody has to do something about it.
_TO_BE_MENDED: Final = (403, 422)
_LOOK_AGAIN_S: Final = SEEN_S + 1.0
_ENDING: Final = "NamespaceTerminating"


@dataclass(frozen=True, slots=True)
class Policies:
    """The work in one namespace."""

    world: World
    holdings: Holdings
    authority: Authority
    maps: Places
    bindings: Places
    shelf: RouteShelf
    status: RouteStatus
    writes: Counter
    restorations: Restorations

    def reconcile(self, namespace: Key) -> float | None:
        """Compile, and write what is not there yet."""
        meta = self.world.namespaces.get(namespace)
        if meta is None or meta.deleting:
            self.maps.forget(namespace)
            self.bindings.forget(namespace)
            self.shelf.forget(namespace)
            self.restorations.forget(namespace)
            return None
        wanted = needs_policy(meta, self.world.settings.namespace) or self.maps.has(namespace)
        routes = self.shelf.list_routes(namespace)
        if not wanted and not routes:
            return None
        compiled, wrote = self._compile(meta, routes), False
        if wanted:
            self._say_whose(meta)
            policy = build_map(namespace, compiled.revision, compiled.content)
            wrote = self._put(self.maps, meta, policy)
            wrote |= self._put(self.bindings, meta, build_binding(namespace))
        return self.status.tell(namespace, compiled.routes) or (_LOOK_AGAIN_S if wrote else None)

    def begin_term(self) -> None:
        """Others have led since: what went meanwhile this one never heard of."""
        for memory in (self.maps, self.bindings, self.shelf, self.status, self.restorations):
            memory.begin_term()

    def _compile(self, meta: Meta, routes: list[Route | Outline | Invalid]) -> Compiled:
        claim, broker = self.holdings.judge(meta), self.authority.find()
        if claim.tenant is None:
            return compile_policy(Case(meta, claim, routes=routes, broker=broker))
        found = ((name, self.world.clusters.get(name)) for name in claim.tenant.clusters)
        return compile_policy(
            Case(
                meta,
                claim,
                namespaces=self.holdings.list_held(claim.tenant.name),
                clusters={name: kept.value for name, kept in found if kept is not None},
                routes=routes,
                broker=broker,
            )
        )

    def _say_whose(self, meta: Meta) -> None:
        """A namespace that is closed; what else is wrong with a Tenant, that tells itself."""
        denied = self.holdings.judge(meta).denied
        if denied:
            regarding = Regarding("v1", "Namespace", meta.name, uid=meta.uid)
            self.world.events.tell(regarding, "NamespaceClosed", denied, warning=True)

    def _put(self, places: Places, meta: Meta, wanted: Wanted) -> bool:
        """Whether something was written."""
        try:
            outcome = places.put(meta.name, wanted)
        except KubeError as error:
            if _is_ending(error):  # the store will tell
                return False
            if error.status in _TO_BE_MENDED:
                self._tell(meta, wanted, "PolicyNotWritten", error.message)
            raise
        kind = str(wanted.body["kind"])
        if outcome.action != "kept":
            self.writes.labels(kind, outcome.action).inc()
        if outcome.flaws:
            told = f"{kind} {POLICY}: {', '.join(outcome.flaws)}; it was {outcome.action}"
            times = self.restorations.count(meta.name)
            if times is not None:
                log_event(
                    "warning", "policy_restored", namespace=meta.name, problem=told, times=times
                )
            self._tell(meta, wanted, "PolicyRestored", told)
        return outcome.action != "kept"

    def _tell(self, meta: Meta, wanted: Wanted, reason: str, message: str) -> None:
        body = wanted.body
        regarding = Regarding(str(body["apiVersion"]), str(body["kind"]), POLICY, meta.name)
        self.world.events.tell(regarding, reason, message, warning=True)


def build_parts(world: World) -> list[Part]:
    """The part, and the one that looks after the broker's CA where that is a file."""
    holdings = Holdings(world.namespaces, world.tenants, world.settings.namespace)
    authority, shelf = Authority(world), RouteShelf(world)
    status = RouteStatus(world, shelf)
    bindings = world.follow(Collection(f"{_RBAC}/rolebindings", keep_binding, _ONLY))
    map_places = Places(world.writer, _CORE, "configmaps", keep_map, world.policies)
    binding_places = Places(world.writer, _RBAC, "rolebindings", keep_binding, bindings)
    concerns = Concerns(world, holdings)
    writes = Counter(
        "mca_controller_policy_writes",
        "ConfigMaps and RoleBindings mca-policy that were written",
        ("kind", "action"),
        registry=world.registry,
    )
    work = Policies(
        world,
        holdings,
        authority,
        map_places,
        binding_places,
        shelf,
        status,
        writes,
        Restorations(),
    )

    def of_route(change: Change[KeptRoute]) -> tuple[Key, ...]:
        return (change.key.partition("/")[0],) if status.concerns(change) else ()

    part = Part(
        name=NAME,
        reconcile=work.reconcile,
        follows=(
            Follow(world.namespaces, concerns.of_namespace),
            Follow(world.tenants, concerns.of_tenant),
            Follow(world.clusters, concerns.of_cluster),
            Follow(shelf.store, of_route),
            Follow(world.policies, map_places.list_unsettled),
            Follow(bindings, binding_places.list_unsettled),
            Follow(authority.store, concerns.of_authority),
        ),
        workers=world.settings.workers,
        group=concerns.group,
        begin_term=work.begin_term,
        expand=concerns.expand,
    )
    return [part, *authority.parts]


def _is_ending(error: KubeError) -> bool:
    """Whether the namespace is going, or gone."""
    causes = error.details.get("causes") or ()
    return error.status == _NOT_FOUND or any(cause.get("reason") == _ENDING for cause in causes)
