"""Owns what becomes of watches, logs and tunnels under way when the policy changes, or the health
of members: each goes on, or is ended in a way that its client understands.

Must not judge: the gate does, anew and by what is known now. What goes on is not disturbed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from sidecar.policy.verdict import Denial, Reason
from sidecar.refusals import CLUSTER_MOVED, CLUSTER_REPLACED, ROUTE_CHANGED

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from sidecar.downstream import Client
    from sidecar.exchange import Exchange
    from sidecar.failover import Failover
    from sidecar.gate import Decided, Gate
    from sidecar.kinds import Kinds
    from sidecar.member import Member

_AT_ONCE: Final = 50  # a thousand take 30 ms
_SCOPES: Final = 3
_NO_LONGER = Denial(
    Reason.FORBIDDEN,
    "policy/changed",
    "the policy has changed and does not permit this any more; `mca explain` shows what does",
)


class Readmission:
    """Goes through the streams of all clients."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, gate: Gate, kinds: Kinds, failover: Failover
    ) -> None:
        self._loop = loop
        self._gate = gate
        self._kinds = kinds
        self._failover = failover

    def leave_members(self, clients: Iterable[Client], gone: list[Member]) -> None:
        """Versions of one cluster mean nothing to another: informers must list again."""

        def leave(_: Client, exchange: Exchange) -> None:
            if exchange.watching and exchange.decided.member in gone:
                exchange.end_watch(CLUSTER_REPLACED)

        self._go_through(clients, leave)

    def end_misplaced(self, clients: Iterable[Client]) -> None:
        """A member went down or came back: watches that would go elsewhere now begin anew there."""

        def look(client: Client, exchange: Exchange) -> None:
            if exchange.decided.watch and self._failover.is_misplaced(exchange.decided):
                client.end_stream(exchange, CLUSTER_MOVED)

        self._go_through(clients, look)

    def review(self, clients: Iterable[Client]) -> None:
        """The policy has changed: judge every stream by it."""
        self._go_through(clients, self._judge)

    def _go_through(
        self, clients: Iterable[Client], work: Callable[[Client, Exchange], None]
    ) -> None:
        """Every stream in its turn, some at once: so that calls pass between."""
        streams = [
            (client, client.exchange)
            for client in clients
            if client.exchange is not None and client.exchange.decided.streams
        ]
        self._some(streams, work)

    def _some(
        self, streams: list[tuple[Client, Exchange]], work: Callable[[Client, Exchange], None]
    ) -> None:
        for client, exchange in streams[:_AT_ONCE]:
            if not exchange.over:
                work(client, exchange)
        if len(streams) > _AT_ONCE:
            self._loop.call_soon(self._some, streams[_AT_ONCE:], work)

    def _judge(self, client: Client, exchange: Exchange, tries: int = 0) -> None:
        judged = self._gate.judge_again(exchange.decided)
        if judged.scope is not None and tries < _SCOPES:
            self._kinds.learn(judged.scope, partial(self._learned, client, exchange, tries + 1))
        elif judged.plan is None:
            client.end_stream(exchange, judged.refusal or _NO_LONGER)
        elif self._stays(exchange.decided, judged):
            exchange.decided.plan = judged.plan
        else:
            client.end_stream(exchange, ROUTE_CHANGED)

    def _learned(
        self, client: Client, exchange: Exchange, tries: int, failure: Denial | None
    ) -> None:
        if exchange.over:
            return
        if failure is None:
            self._judge(client, exchange, tries)
        else:  # what is not known to be permitted is not
            client.end_stream(exchange, failure)

    def _stays(self, was: Decided, now: Decided) -> bool:
        """Does it go on where it is, and as it is?"""
        before, after = was.plan, now.plan
        if before is None or after is None or self._failover.choose(after) is not was.member:
            return False
        if (before.tagged, before.inspected) != (after.tagged, after.inspected):
            return False
        return not after.tagged or before.route == after.route
