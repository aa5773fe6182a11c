"""Owns how a permitted call is carried out: the candidates for it, and what to mind in the answer.

It must not know whether the call is permitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.paths import group_told_of, tells_of_kinds
from sidecar.policy.requestinfo import is_namespace_object
from sidecar.policy.routing import members_for
from sidecar.policy.verdict import HOME, HOME_PLAN, Plan, PlanKind

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.routing import Routing
    from sidecar.policy.snapshot_routes import Route
    from sidecar.policy.verdict import Caller

_READS: Final = frozenset({"get", "list", "watch"})
_WRITES: Final = frozenset({"create", "update", "patch"})
# Of the core group's kinds: bytes, not objects.
_STREAMS: Final = frozenset({"attach", "exec", "log", "portforward", "proxy"})
# Their bodies are orders, not the object that is written.
_ORDERS: Final = frozenset({"binding", "eviction", "scale", "token"})


def members_of(route: Route | None) -> tuple[str, ...]:
    """Who may ever serve the route's slice, its own member first."""
    return (HOME,) if route is None else (route.members[0].cluster, *route.stand_ins)


def plan_call(route: Route, info: RequestInfo, *, fails_over: bool = True) -> Plan:
    """A call on a resource that a route takes.

    A kind without namespaces does not fail over for a tenant: who stands in cannot be held to one.
    """
    member = route.members[0].cluster
    stand_ins = route.stand_ins if fails_over else ()
    candidates = (member, *stand_ins) if info.judged_verb in _READS else (member,)
    objects = not is_stream(info)
    foreign = candidates != (HOME,)
    within = info.namespace != "" and not is_namespace_object(info)
    return Plan(
        PlanKind.SINGLE,
        candidates,
        route.name,
        tagged=objects and bool(stand_ins),
        inspected=objects and foreign and within,
    )


def plan_path(routing: Routing, info: RequestInfo, caller: Caller) -> Plan:
    """A path that is no resource: home's, to which discovery adds what routes name elsewhere."""
    if not routing.rows or not tells_of_kinds(info):
        return HOME_PLAN
    others = members_for(routing, group_told_of(info.path), caller)
    return Plan(PlanKind.DISCOVERY, (HOME, *others)) if others else HOME_PLAN


def is_stream(info: RequestInfo) -> bool:
    """Whether bytes are answered, and no objects."""
    return info.group == "" and info.subresource in _STREAMS


def writes_object(info: RequestInfo) -> bool:
    """Whether the body is an object that will be kept."""
    if info.judged_verb not in _WRITES or is_stream(info):
        return False
    return info.subresource not in _ORDERS
