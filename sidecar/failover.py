"""Owns where a plan's call goes now: the first of its candidates that is up, and what changes with
it: the versions of a slice with stand-ins carry the member that they come from.

Must not send anything. A version of another member is answered with 410, so that informers list
again; one in a write with 409.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final
from zlib import crc32

from sidecar.gate import Decided
from sidecar.policy.verdict import PlanKind
from sidecar.refusals import (
    FOREIGN_VERSION,
    FOREIGN_WRITE,
    NOT_ACCEPTABLE,
    ROUTE_CHANGED,
    unreadable_body,
)
from sidecar.versions import ForeignVersion, member_codes, untag_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecar.exchange import Exchange
    from sidecar.gate import Gate
    from sidecar.member import Member
    from sidecar.policy.snapshot import Snapshot
    from sidecar.policy.snapshot_routes import Route
    from sidecar.policy.verdict import Body, Denial, Plan

_WARY_S: Final = 600.0
# Failures after which another candidate is asked: nothing was sent to this one.
_ELSEWHERE: Final = frozenset({"upstream/credential", "upstream/down", "upstream/unreachable"})


class Failover:
    """Places calls on members."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        gate.is_stray = self.is_stray
        self._members: Mapping[str, Member] = {}
        self._codes: dict[str, dict[str, int]] = {}  # of each route with stand-ins, by member
        self._given: set[int] = set()  # all codes that clients may have versions with
        self._wary_until = float("-inf")

    def adopt(self, snapshot: Snapshot, members: Mapping[str, Member]) -> None:
        """Place by these from the next call on."""
        self._members = members
        self._codes = {
            route.name: _codes(route, members) for route in snapshot.routes if route.stand_ins
        }
        self._wary_until = monotonic() + _WARY_S if self._given else self._wary_until
        for codes in self._codes.values():
            self._given.update(codes.values())

    def is_stray(self, line: bytes) -> bool:
        """Does a call of an untagged slice bring a version that was tagged before the policy
        changed? To the cluster it would be one of the far future.

        Only for a while after a change: a cluster's own version may look alike, one in thousands.
        """
        if monotonic() > self._wary_until or b"?" not in line:
            return False
        try:
            untag_line(line, 0)
        except ForeignVersion as stray:
            return stray.code in self._given
        return False

    def choose(self, plan: Plan) -> Member | None:
        """The first candidate that is up; the first of all if none is; None if all are gone.

        Of several that are merged it is the first, home, whatever its health.
        """
        known = map(self._members.get, plan.candidates)
        candidates = [member for member in known if member is not None]
        for member in candidates:
            if member.available and plan.kind is PlanKind.SINGLE:
                return member
        return candidates[0] if candidates else None

    def is_misplaced(self, decided: Decided) -> bool:
        """Would the same call go elsewhere now?"""
        plan = decided.plan
        if plan is None or plan.kind is not PlanKind.SINGLE or len(plan.candidates) < 2:
            return False
        member = self.choose(plan)
        return member is not None and member.available and member is not decided.member

    def choose_next(self, exchange: Exchange, refusal: Denial) -> Member | None:
        """Where a call goes that one candidate did not take; None: nowhere."""
        decided = exchange.decided
        plan, failed = decided.plan, decided.member
        if plan is None or failed is None or plan.kind is not PlanKind.SINGLE:
            return None
        if len(plan.candidates) < 2:
            return None
        if refusal.rule not in _ELSEWHERE or not exchange.can_replay:
            return None
        # It was permitted by a policy that may have changed while it waited.
        if self._gate.judge_again(decided).plan != plan:
            return None
        # One failure is enough here: who reads elsewhere must go on there, until this one is back.
        failed.health.trip()
        member = self.choose(plan)
        return member if member is not None and member.available else None

    def settle(self, exchange: Exchange, member: Member, body: Body | None) -> Denial | None:
        """Make the call this member's; or why it cannot be."""
        decided = exchange.decided
        plan = decided.plan
        if plan is None:
            return None
        code = None
        if plan.tagged:
            code = self._codes.get(plan.route, {}).get(member.name)
            if code is None:  # decided by a snapshot that is no longer in use
                return ROUTE_CHANGED
        try:
            if code is not None or member is not decided.member:
                exchange.decided = self._variant(decided, member, code)
            if code is not None and body is not None and body.content:
                _rewrite_body(exchange, body, code)
        except ForeignVersion:
            return FOREIGN_VERSION if decided.safe else FOREIGN_WRITE
        except ValueError as failure:
            return unreadable_body(str(failure))
        return _look_into(exchange, plan, code) if plan.tagged or plan.inspected else None

    def _variant(self, decided: Decided, member: Member, code: int | None) -> Decided:
        """The same decision as it goes to one member of its plan."""
        origin = decided.origin or decided
        if origin.variants is None:
            origin.variants = {}
        found = origin.variants.get(member.name)
        if found is None or found.member is not member:
            line = origin.line if code is None else untag_line(origin.line, code)
            found = Decided(line, origin.info, origin.caller)
            found.origin = origin
            found.plan = origin.plan
            found.rule = origin.rule
            found.audited = origin.audited
            self._gate.place(found, member)
            origin.variants[member.name] = found
        return found


def _codes(route: Route, members: Mapping[str, Member]) -> dict[str, int]:
    """A code for each of a route's members; another, where the same name is another server now."""
    servers = {}
    for name in (*(member.cluster for member in route.members), *route.stand_ins):
        cluster = members[name].cluster
        servers[name] = f"{name}\0{cluster.server}\0{crc32(cluster.ca_bundle or b'')}"
    codes = member_codes(route.name, servers.values())
    return {name: codes[server] for name, server in servers.items()}


def _rewrite_body(exchange: Exchange, body: Body, code: int) -> None:
    from sidecar.objects.requests import untag_body  # 4 ms that most pods never need

    content = untag_body(exchange.decided.info.verb, body, code)
    if content != body.content:
        exchange.head = exchange.head.resized(len(content))
        exchange.replay = content


def _look_into(exchange: Exchange, plan: Plan, code: int | None) -> Denial | None:
    """Have the answer's objects checked and tagged."""
    from sidecar.objects import Inspection

    head = exchange.head.inspected(plan.tagged)
    if head is None:
        return NOT_ACCEPTABLE
    info = exchange.decided.info
    exchange.head = head
    namespace = info.namespace if plan.inspected else ""
    exchange.inspection = Inspection(namespace, code, info.watch)
    return None
