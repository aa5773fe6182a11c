"""Owns whose turn it is: one piece of work at a time, and namespaces come in turns.

Must not know what the work is, nor how much of it may wait.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock that goes round among namespaces, however many wait in each.

    It is passed on in the loop's next round: calls are read and answered in between, so that who
    comes from another namespace is seen before all those that wait have been served.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._taken = False

    @asynccontextmanager
    async def take(self, namespace: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as this lasts."""
        loop = asyncio.get_running_loop()
        if self._taken:
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting.setdefault(namespace, deque()).append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it had just come
                    self._pass_on()
                raise
        self._taken = True
        try:
            yield
        finally:
            loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        """To the namespace whose last turn was longest ago."""
        while self._waiting:
            namespace = next(iter(self._waiting))
            queue = self._waiting.pop(namespace)
            turn = queue.popleft()
            if queue:
                self._waiting[namespace] = queue
            if not turn.done():  # who has given up is passed over
                turn.set_result(None)
                return
        self._taken = False
