"""Owns the verdict on each route of a namespace, and how it stands in the snapshot.

A route to a cluster that cannot be used is closed: its calls fail, for a client that was sent to
another cluster must not find itself at home instead. Must not know how many bytes it takes.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from webhook.controller.compiling.guarded_kinds import guarded_kinds
from webhook.controller.compiling.members import Members
from webhook.controller.compiling.room import MAX_LETTERS, MAX_ROUTES, MAX_WORDS, choose_counted
from webhook.controller.compiling.verdicts import (
    INVALID,
    MEMBER_NOT_ENFORCED,
    PARTLY,
    TAKEN,
    TOO_LARGE,
    TOO_MANY,
    Verdict,
)
from webhook.resources.meta import Invalid, RawDocument, documents, text_list
from webhook.resources.names import CLOSED
from webhook.resources.routes import Outline, Route, list_clusters
from webhook.resources.tenants import AdminRoute, Tenant

# Above every Route's.
ADMIN_PRIORITY: Final = 1000
# No Route's name has a dot in it.
ADMIN_PREFIX: Final = "admin."
_SHOWN_KINDS: Final = 4
_TOO_WORDY: Final = Verdict(
    False,
    TOO_LARGE,
    f"the lists in the match of the namespace's Routes hold more than {MAX_WORDS} words, or "
    f"{MAX_LETTERS} letters, so Routes of the lowest priority are left out: remove some, or put "
    "patterns in the place of many names",
)
_TOO_MANY: Final = Verdict(
    False,
    TOO_MANY,
    f"the namespace has more than {MAX_ROUTES} Routes, and those of the lowest priority are left "
    "out: remove some, or put more entries into one's match",
)


class Judged(NamedTuple):
    """A route with its verdict; without an entry it is not in the snapshot."""

    name: str
    verdict: Verdict
    entry: RawDocument | None = None


class Ground(NamedTuple):
    """What routes are judged by. `guarded`: the namespace's boundary is enforced."""

    tenant: Tenant
    members: Members
    guarded: bool


def judge_routes(routes: Sequence[Route | Outline | Invalid], ground: Ground) -> list[Judged]:
    """Routes of the namespace, the first that count first."""
    judged = [
        Judged(route.name, Verdict(False, INVALID, "; ".join(route.problems)))
        for route in routes
        if isinstance(route, Invalid)
    ]
    chosen = choose_counted(routes)
    for route in chosen.counted:
        if isinstance(route, Outline):
            judged.append(Judged(route.name, _TOO_MANY))
            continue
        raw = {"priority": route.priority, "match": list(route.match), "to": route.to}
        judged.append(_judge(route.name, route.name, raw, ground))
    judged += [Judged(route.name, _TOO_WORDY) for route in chosen.wordy]
    return judged + [Judged(route.name, _TOO_MANY) for route in chosen.surplus]


def judge_admin_routes(routes: tuple[AdminRoute, ...], ground: Ground) -> list[Judged]:
    """Routes of the Tenant itself, the first that count first."""
    judged = []
    for route in sorted(routes, key=lambda route: -route.priority):
        if route.problems:
            told = Verdict(False, INVALID, "; ".join(route.problems))
            judged.append(Judged(route.name, told))
            continue
        raw = {**route.entry, "priority": ADMIN_PRIORITY + route.priority}
        judged.append(_judge(route.name, f"{ADMIN_PREFIX}{route.name}", raw, ground))
    return judged


def _judge(name: str, entry_name: str, raw: RawDocument, ground: Ground) -> Judged:
    to: RawDocument = raw["to"]
    stand_ins = text_list(to.get("standIns"))
    members = list_clusters({"members": to["members"]})
    kinds = _list_guarded(documents(raw["match"])) if ground.guarded else ""
    refused = _first(ground, members, kinds)
    if refused is not None:
        message = f"{refused.message}. Its calls fail until then"
        closed = {"members": [{"cluster": CLOSED}]}
        return Judged(
            name,
            refused._replace(message=message),
            {**raw, "name": entry_name, "to": closed},
        )
    found = {each: _first(ground, (each,), kinds) for each in stand_ins}
    left_out = [verdict.message for verdict in found.values() if verdict is not None]
    entry = {**raw, "name": entry_name}
    if not left_out:
        return Judged(name, TAKEN, entry)
    kept = [each for each, verdict in found.items() if verdict is None]
    told = f"without a stand-in: {'; '.join(left_out)}"
    return Judged(name, Verdict(True, PARTLY, told), {**entry, "to": {**to, "standIns": kept}})


def _first(ground: Ground, clusters: tuple[str, ...], kinds: str) -> Verdict | None:
    """The first reason why one of these clusters may not serve this."""
    for name in clusters:
        verdict = ground.members.judge(name, ground.tenant)
        if verdict is None:
            verdict = _judge_guards(ground, name, kinds)
        if verdict is not None:
            return verdict
    return None


def _judge_guards(ground: Ground, name: str, kinds: str) -> Verdict | None:
    cluster = ground.members.usable.get(name)
    if not kinds or cluster is None or cluster.enforced:
        return None
    return Verdict(
        False,
        MEMBER_NOT_ENFORCED,
        f"the Cluster {name!r} has no guards of MCA, and an enforced namespace may not have "
        f"{kinds} there: match other kinds, or ask an admin to run mca cluster add again with "
        "--sidecar-image and --control-image",
    )


def _list_guarded(matches: tuple[RawDocument, ...]) -> str:
    """Some of what only a guarded cluster may serve of this; empty if there is nothing."""
    kinds = [*dict.fromkeys(kind for match in matches for kind in guarded_kinds(match))]
    return ", ".join([*kinds[:_SHOWN_KINDS], "…"] if len(kinds) > _SHOWN_KINDS else kinds)
