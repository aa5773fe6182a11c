"""Owns the seats at one member: how many calls and streams may be under way there at once.

A call that finds none waits its turn. Turns go around the containers, and none may take the last
seats while there are others, so that one with many calls, or slow ones, does not starve the rest.
Must not know what a call is.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sidecar.policy.snapshot import ClusterLimits

WAIT_S: Final = 5.0


class Seats:
    """The seats at one member; a limit of 0 is none."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: ClusterLimits, containers: int = 1
    ) -> None:
        self.limits = limits
        self._loop = loop
        self._others = containers - 1
        self._streams: Counter[str] = Counter()  # by container
        self._calls: Counter[str] = Counter()
        self._queues: dict[str, deque[Ticket]] = {}  # in the order of their turns
        self._seating = False

    def adopt(self, limits: ClusterLimits) -> None:
        """Other limits from now on: who waits may sit by them."""
        self.limits = limits
        self._seat_waiting()

    def dismiss(self) -> None:
        """The member is down: nobody is to wait for it, and each is told so by trying."""
        limits, self.limits = self.limits, self.limits._replace(max_connections=0)
        self._seat_waiting()
        self.limits = limits

    @property
    def limited(self) -> bool:
        return self.limits != (0, 0)

    def take_stream(self, container: str) -> bool:
        """A seat for a watch, a log or a tunnel; `give_stream` when it has ended."""
        if not self._is_free(self._streams, self.limits.max_streams, container):
            return False
        self._streams[container] += 1
        return True

    def give_stream(self, container: str) -> None:
        self._streams[container] -= 1

    def claim(self, container: str, then: Callable[[bool], None]) -> Ticket:
        """A claim to a call's seat: `ask` for it, and give it back in any case."""
        return Ticket(self, container, then)

    def seat_or_queue(self, ticket: Ticket) -> None:
        """Now, or when its turn comes."""
        if self._is_free(self._calls, self.limits.max_connections, ticket.container):
            self._seat(ticket)
        else:
            self._queues.setdefault(ticket.container, deque()).append(ticket)
            ticket.wait(self._loop)

    def _seat(self, ticket: Ticket) -> None:
        self._calls[ticket.container] += 1
        ticket.seat()

    def vacate(self, container: str) -> None:
        """A call has ended: whose turn is it?"""
        self._calls[container] -= 1
        self._seat_waiting()

    def _seat_waiting(self) -> None:
        """A loop, and only one: a call that fails at once vacates its seat in the midst of it."""
        if self._seating:
            return
        self._seating = True
        try:
            while (container := self._next()) is not None:
                queue = self._queues.pop(container)
                ticket = queue.popleft()
                if queue:
                    self._queues[container] = queue
                self._seat(ticket)
        finally:
            self._seating = False

    def _next(self) -> str | None:
        limit = self.limits.max_connections
        waiting = (name for name in self._queues if self._is_free(self._calls, limit, name))
        return next(waiting, None)

    def _is_free(self, taken: Counter[str], limit: int, container: str) -> bool:
        if not limit:
            return True
        share = max(limit - self._others, 1)
        return taken.total() < limit and taken[container] < share

    def leave_queue(self, ticket: Ticket) -> None:
        """It waits no longer."""
        queue = self._queues.get(ticket.container)
        if queue is not None and ticket in queue:
            queue.remove(ticket)
            if not queue:
                del self._queues[ticket.container]


class Ticket:
    """One call's claim to a seat."""

    __slots__ = ("_seated", "_seats", "_then", "_timer", "container")

    def __init__(self, seats: Seats, container: str, then: Callable[[bool], None]) -> None:
        self.container = container
        self._seats = seats
        self._then: Callable[[bool], None] | None = then
        self._timer: asyncio.TimerHandle | None = None
        self._seated = False

    def ask(self) -> None:
        """`then` is told when there is a seat, at once or later, or that it came to none."""
        self._seats.seat_or_queue(self)

    def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(WAIT_S, self._time_out)

    def seat(self) -> None:
        """It has one."""
        self._seated = True
        self._tell(seated=True)

    def give_back(self) -> None:
        """The call has ended, or does not want to wait any longer."""
        self._then = None
        self._stop_waiting()
        if self._seated:
            self._seated = False
            self._seats.vacate(self.container)

    def _time_out(self) -> None:
        self._stop_waiting()
        self._tell(seated=False)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._seats.leave_queue(self)

    def _tell(self, *, seated: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        then, self._then = self._then, None
        if then is not None:
            then(seated)
