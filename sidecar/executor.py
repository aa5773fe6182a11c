"""Owns how a permitted call is carried out where more is to be done than to send it on: limits,
seats, the choice among candidates, answers that are gathered and merged.

Must not decide what is permitted. A call that needs none of this never comes here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sidecar.defects import guard
from sidecar.limits import Limiter, Refused
from sidecar.policy.verdict import PlanKind, Reason
from sidecar.refusals import no_seat, no_stream

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from sidecar.downstream import Client
    from sidecar.exchange import Exchange
    from sidecar.failover import Failover
    from sidecar.gate import Gate
    from sidecar.member import Member
    from sidecar.merging import Merging
    from sidecar.policy.snapshot import Snapshot
    from sidecar.policy.verdict import Body, Denial


class Executor:
    """Carries calls out."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, gate: Gate, failover: Failover, limiter: Limiter
    ) -> None:
        self._loop = loop
        self._gate = gate
        self._failover = failover
        self._limiter = limiter
        self._merging: Merging | None = None

    def adopt(self, snapshot: Snapshot, members: Mapping[str, Member]) -> None:
        """Carry out by these from the next call on."""
        if self._merging is None and needs_more(snapshot):
            from sidecar.merging import Merging

            self._merging = Merging(self._loop, self._gate)
        if self._merging is not None:
            self._merging.adopt(members)

    def carry_out(self, client: Client, exchange: Exchange, body: Body | None) -> None:
        """Do what the plan says; `body` is the call's, where it was gathered."""
        decided = exchange.decided
        plan = decided.plan
        member = self._failover.choose(plan) if plan is not None else None
        if plan is None or member is None:  # a permit brings one: without it nothing is forwarded
            exchange.fail(Reason.INTERNAL_ERROR, "policy/no-plan", "the call has no plan")
            return
        begun = self._limiter.begin(decided.caller.container, decided.info, exchange.started)
        if isinstance(begun, Refused):
            _refuse(exchange, begun.refusal, begun.retry_after_s)
            return
        if begun is not None:
            client.hold(begun)
        if plan.kind is PlanKind.SINGLE or not self._gather(client, exchange, member, body):
            self._send(client, exchange, member, body)

    def _gather(
        self, client: Client, exchange: Exchange, member: Member, body: Body | None
    ) -> bool:
        """Answer with what members are asked for; False if there is nothing to be merged."""
        if exchange.decided.plan is None or self._merging is None:
            return False
        if exchange.decided.plan.kind is PlanKind.DISCOVERY:
            return self._merging.discover(client, exchange)
        if body is None:
            return False
        self._merging.review_rules(client, exchange, member, body)
        return True

    def fall_back(self, client: Client, exchange: Exchange, refusal: Denial) -> bool:
        """A member did not take the call: does another?"""
        member = self._failover.choose_next(exchange, refusal)
        if member is None:
            return False
        client.leave_seat()
        self._send(client, exchange, member, None)
        return True

    def _send(self, client: Client, exchange: Exchange, member: Member, body: Body | None) -> None:
        refusal = self._failover.settle(exchange, member, body)
        if refusal is not None:
            _refuse(exchange, refusal, None)
            return
        seats = member.seats
        container = exchange.decided.caller.container
        if not seats.limited:
            member.dispatch(exchange)
        elif not exchange.decided.streams:
            seated = guard(exchange, partial(self._seated, exchange, member))
            ticket = seats.claim(container, seated)
            client.take_seat(ticket.give_back)
            ticket.ask()
        elif seats.take_stream(container):
            client.take_seat(partial(seats.give_stream, container))
            member.dispatch(exchange)
        else:
            _refuse(exchange, no_stream(member.name, seats.limits.max_streams), 1)

    def _seated(self, exchange: Exchange, member: Member, seated: bool) -> None:
        """Its turn has come, or it has waited for long enough."""
        if exchange.over:
            return
        if not seated:
            _refuse(exchange, no_seat(member.name, member.seats.limits.max_connections), 1)
            return
        member.dispatch(exchange)
        exchange.client.resume_reading()


def _refuse(exchange: Exchange, refusal: Denial, retry_after_s: int | None) -> None:
    exchange.fail(refusal.reason, refusal.rule, refusal.message, retry_after_s)


def needs_more(snapshot: Snapshot) -> bool:
    """Does it need what most pods do not: 4 to 8 ms of imports, and 1.5 MB?"""
    return snapshot.tenant is not None or bool(snapshot.routes)


def import_more(snapshot: Snapshot) -> None:
    """Import it before a call needs it: in the thread that compiles, and where a failure keeps the
    snapshot from coming into use, not a call from its answer."""
    if needs_more(snapshot):
        import sidecar.inspected
        import sidecar.merging
        import sidecar.objects.requests  # noqa: F401
