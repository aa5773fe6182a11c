"""Owns the routes of a snapshot: which slice of the API another member serves."""

from __future__ import annotations

from typing import Literal, NamedTuple

_ALL = ("*",)


class Match(NamedTuple):
    """A slice of the API. Every selector is a list, of which one entry must match."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...] = _ALL
    namespaces: tuple[str, ...] = _ALL
    names: tuple[str, ...] = _ALL
    containers: tuple[str, ...] = _ALL
    service_accounts: tuple[str, ...] = _ALL


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
    placement: Literal["weighted", "hash", "leastLoaded"] = "weighted"
    stand_ins: tuple[str, ...] = ()
