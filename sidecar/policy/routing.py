"""Owns the choice of a route: which member serves a call, and who stands in.

Leases, events and reviews follow only a route that names them. It must not know health or load,
nor whether the call is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.index import Index, ObjectName, Row, first_rule
from sidecar.policy.reserved import stays_home
from sidecar.policy.verdict import HOME, Denial, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.snapshot_routes import Match, Route
    from sidecar.policy.verdict import Caller

_ANY: Final = "*"


class Routing(NamedTuple):
    """Routes made quick to choose from: a row for each match, the first that counts first."""

    matches: Index
    rows: tuple[tuple[Match, Route], ...]


def compile_routes(routes: Sequence[Route]) -> Routing:
    """Index the routes by priority, then as they are listed."""
    ordered = sorted(routes, key=lambda route: -route.priority)
    rows = tuple((match, route) for route in ordered for match in route.match)
    return Routing(Index([_row(match) for match, _ in rows]), rows)


def _row(match: Match) -> Row:
    return Row(
        match.verbs,
        match.groups,
        match.resources,
        match.namespaces,
        match.names,
        match.containers,
        match.service_accounts,
    )


def select_routes(routing: Routing, info: RequestInfo, caller: Caller) -> int:
    """The matches that speak of this call, whatever the name of its object is."""
    if not routing.rows:
        return 0
    rules = routing.matches.select(info.judged_verb, info, caller)
    if rules and stays_home(info):
        rules &= routing.matches.spelled_out(info)
    return rules


def route_hangs_on_name(routing: Routing, rules: int, info: RequestInfo) -> bool:
    """Whether the name of the object could make a difference to what is chosen."""
    sure, maybe = routing.matches.narrow(rules, info, ObjectName()) if rules else (0, 0)
    return maybe & -maybe != sure & -sure


def choose_route(
    routing: Routing, rules: int, info: RequestInfo, name: ObjectName
) -> Route | Denial | None:
    """The route of a call; None: home serves it.

    What names no object follows the first route for all names.
    """
    if not rules:
        return None
    sure, maybe = routing.matches.narrow(rules, info, name)
    if name.generated and maybe & -maybe != sure & -sure:
        route = routing.rows[first_rule(maybe)][1]
        return Denial(
            Reason.FORBIDDEN,
            "route/generate-name",
            f"the name that the server would generate may or may not belong to the route "
            f"{route.name!r}: give the object a name, or a generateName that tells",
        )
    return routing.rows[first_rule(sure)][1] if sure else None


def members_for(routing: Routing, group: str | None, caller: Caller) -> tuple[str, ...]:
    """The members besides home that serve this caller something of a group (None: of any)."""
    rules = routing.matches.of_caller(caller)
    if group is not None:
        rules = routing.matches.of_group(group, rules)
    clusters = (
        route.members[0].cluster
        for number, (_, route) in enumerate(routing.rows)
        if rules >> number & 1
    )
    return tuple(dict.fromkeys(cluster for cluster in clusters if cluster != HOME))


def routed_kinds(
    routing: Routing | None, cluster: str
) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """What the routes name on a member: groups and resources of each match."""
    return tuple(
        (frozenset(match.groups), frozenset(match.resources))
        for match, route in (() if routing is None else routing.rows)
        if route.members[0].cluster == cluster
    )


def names_kind(routing: Routing | None, cluster: str, group: str, resource: str) -> bool:
    """Whether a route names this resource ("pods" or "pods/exec") on the member."""
    kind, slash, subresource = resource.partition("/")
    spellings = {_ANY, resource}
    if slash:
        spellings |= {f"{kind}/{_ANY}", f"{_ANY}/{subresource}"}
    return any(
        not groups.isdisjoint({_ANY, group}) and not resources.isdisjoint(spellings)
        for groups, resources in routed_kinds(routing, cluster)
    )
