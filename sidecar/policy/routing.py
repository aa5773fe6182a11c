"""Owns the choice of a route: which member serves a call, and who stands in.

Leases, events and reviews follow only a route that names them. It must not know health or load,
nor whether the call is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidecar.policy.index import Index, ObjectName, Row, first_rule
from sidecar.policy.reserved import stays_home
from sidecar.policy.verdict import HOME, Denial, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.snapshot_routes import Match, Route
    from sidecar.policy.verdict import Caller


class Routing(NamedTuple):
    """Routes made quick to choose from: a row for each match, the first that counts first.

    `rows_of` tells which rows lead to a member.
    """

    matches: Index
    rows: tuple[tuple[Match, Route], ...]
    rows_of: dict[str, int]


def compile_routes(routes: Sequence[Route]) -> Routing:
    """Index the routes by priority, then as they are listed."""
    ordered = sorted(routes, key=lambda route: -route.priority)
    rows = tuple((match, route) for route in ordered for match in route.match)
    rows_of: dict[str, int] = {}
    for number, (_, route) in enumerate(rows):
        cluster = route.members[0].cluster
        rows_of[cluster] = rows_of.get(cluster, 0) | 1 << number
    return Routing(Index([_row(match) for match, _ in rows]), rows, rows_of)


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
    found = {
        first_rule(mine & rules): cluster
        for cluster, mine in routing.rows_of.items()
        if mine & rules and cluster != HOME
    }
    return tuple(cluster for _, cluster in sorted(found.items()))


def names_kind(routing: Routing | None, cluster: str, group: str, resource: str) -> bool:
    """Whether a route names this resource ("pods" or "pods/exec") on the member."""
    if routing is None:
        return False
    rules = routing.rows_of.get(cluster, 0)
    return bool(rules & routing.matches.of_kind(group, resource))
