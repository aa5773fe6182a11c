"""Owns the routes of a snapshot: which slice of the API another member serves.

A route that would split a lock is refused: of leases that two clusters keep, two holders can be
elected. It must not choose a route for a call: routing.py does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from sidecar.policy.selector_lists import (
    ALL,
    ANY,
    CONTAINERS,
    GROUPS,
    NAMES,
    NAMESPACES,
    RESOURCES,
    SERVICE_ACCOUNTS,
    VERBS,
    read_lists,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from sidecar.policy.fields import Check, Fields
    from sidecar.policy.snapshot_clusters import Cluster

LEASES: Final = ("coordination.k8s.io", "leases")
EVENT_GROUPS: Final = frozenset({"", "events.k8s.io"})

_MAX_ROUTES: Final = 1000
_MAX_MATCHES: Final = 100
_MAX_MEMBERS: Final = 64
_MAX_PRIORITY: Final = 1_000_000
_LATER: Final = "is served by a later version of the sidecar"
_ROUTE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_SLICE: Final = {
    "groups": GROUPS,
    "resources": RESOURCES,
    "verbs": VERBS,
    "namespaces": NAMESPACES,
    "names": NAMES,
    "containers": CONTAINERS,
    "serviceAccounts": SERVICE_ACCOUNTS,
}
Placement = Literal["weighted", "hash", "leastLoaded"]
_PLACEMENTS: Final[tuple[Placement, ...]] = ("weighted", "hash", "leastLoaded")


class Match(NamedTuple):
    """A slice of the API. Every selector is a list, of which one entry must match."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...] = ALL
    namespaces: tuple[str, ...] = ALL
    names: tuple[str, ...] = ALL
    containers: tuple[str, ...] = ALL
    service_accounts: tuple[str, ...] = ALL


class RouteMember(NamedTuple):
    """A member that serves a route, and its share of it."""

    cluster: str
    weight: int = 1


class Route(NamedTuple):
    """What matches is served by the member, and read from a stand-in while it is down.

    Of the routes that match, the one with the highest priority counts, then the first.
    """

    name: str
    priority: int
    match: tuple[Match, ...]
    members: tuple[RouteMember, ...]
    placement: Placement = "weighted"
    stand_ins: tuple[str, ...] = ()


def read_routes(
    check: Check, value: object, clusters: tuple[Cluster, ...] | None
) -> tuple[Route, ...]:
    """All routes; where the clusters could not be read, their names are not held against them."""
    known = None if clusters is None else {cluster.name for cluster in clusters}

    def read(item: object, path: str) -> Route | None:
        return _read_route(check, item, path, known)

    routes = check.items(value, "routes", read, least=0, most=_MAX_ROUTES) or ()
    check.unique("routes", ".name", [route.name for route in routes])
    return routes


def _read_route(
    check: Check, value: object, path: str, known: Container[str] | None
) -> Route | None:
    item = check.fields(value, path, ("name", "priority", "match", "to"))
    if item is None:
        return None
    what = "a name of at most 63 lower-case letters, digits, - and ."
    name = check.text(item["name"], f"{path}.name", _ROUTE_NAME, what) or ""
    priority = check.whole(item["priority"], f"{path}.priority", -_MAX_PRIORITY, _MAX_PRIORITY)

    def read(match: object, where: str) -> Match | None:
        return _read_match(check, match, where)

    matches = check.items(item["match"], f"{path}.match", read, least=1, most=_MAX_MATCHES) or ()
    to = check.fields(item["to"], f"{path}.to", ("members",), ("placement", "standIns"))
    if to is None:
        return None
    members = _read_members(check, to["members"], f"{path}.to.members", known)
    stand_ins = _read_stand_ins(check, to, f"{path}.to.standIns", members, known)
    for index, match in enumerate(matches):
        for problem in _split_locks(match, stand_ins):
            check.fail(f"{path}.match[{index}]", problem)
    placement = _read_placement(check, to, f"{path}.to.placement")
    return Route(name, priority or 0, matches, members, placement, stand_ins)


def _read_match(check: Check, value: object, path: str) -> Match | None:
    optional = (*list(_SLICE)[2:], "objectSelector")
    item = check.fields(value, path, ("groups", "resources"), optional)
    if item is None:
        return None
    if item.get("objectSelector") is not None:
        check.fail(f"{path}.objectSelector", f"{_LATER}: leave it out, or write null")
    return Match(*read_lists(check, item, path, _SLICE))


def _read_members(
    check: Check, value: object, path: str, known: Container[str] | None
) -> tuple[RouteMember, ...]:
    def read(item: object, where: str) -> RouteMember | None:
        fields = check.fields(item, where, ("cluster",), ("weight",))
        if fields is None:
            return None
        cluster = _read_cluster(check, fields["cluster"], f"{where}.cluster", known)
        weight = check.whole(fields.get("weight", 1), f"{where}.weight", 1, _MAX_PRIORITY)
        return RouteMember(cluster, weight or 0)

    members = check.items(value, path, read, least=1, most=_MAX_MEMBERS) or ()
    check.unique(path, ".cluster", [member.cluster for member in members])
    if len(members) > 1:
        check.fail(path, f"a route over several members {_LATER}: name one")
    return members


def _read_cluster(check: Check, value: object, path: str, known: Container[str] | None) -> str:
    name = check.label(value, path)
    if name is not None and known is not None and name not in known:
        check.fail(path, "no such cluster: name one of clusters")
    return name or ""


def _read_stand_ins(
    check: Check,
    to: Fields,
    path: str,
    members: tuple[RouteMember, ...],
    known: Container[str] | None,
) -> tuple[str, ...]:
    def read(item: object, where: str) -> str | None:
        return _read_cluster(check, item, where, known)

    stand_ins = check.items(to.get("standIns", []), path, read, least=0, most=_MAX_MEMBERS) or ()
    check.unique(path, "", stand_ins)
    serving = {member.cluster for member in members}
    for index, stand_in in enumerate(stand_ins):
        if stand_in in serving:
            check.fail(f"{path}[{index}]", f"{stand_in!r} cannot stand in for itself: remove it")
    return stand_ins


def _read_placement(check: Check, to: Fields, path: str) -> Placement:
    for placement in _PLACEMENTS:
        if to.get("placement", _PLACEMENTS[0]) == placement:
            return placement
    check.fail(path, f"must be one of {', '.join(_PLACEMENTS)}")
    return _PLACEMENTS[0]


def _split_locks(match: Match, stand_ins: tuple[str, ...]) -> Iterator[str]:
    """Why a match would leave one part of leases or events here and take another part there."""
    kinds = {resource.partition("/")[0] for resource in match.resources}
    groups = {*match.groups}
    if "leases" in kinds and groups & {LEASES[0], ANY}:
        whole = (match.verbs, match.names, match.containers, match.service_accounts)
        if (match.groups, match.resources) != ((LEASES[0],), (LEASES[1],)) or {*whole} != {ALL}:
            yield (
                "would split locks: leases go alone, with groups [coordination.k8s.io], resources"
                " [leases], and every verb, name, container and service account"
            )
        if stand_ins:
            yield "would split locks: leases have no standIns"
    alone = groups == EVENT_GROUPS and match.resources == ("events",)
    if "events" in kinds and groups & {*EVENT_GROUPS, ANY} and not alone:
        yield 'would split events: they go alone, with groups ["", events.k8s.io]'
