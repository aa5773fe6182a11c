"""Owns whose turn it is: so many at once and no more, and namespaces come in turns.

Must not know what is done in a turn, nor how much of it may wait.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A semaphore that goes round among namespaces, however many wait in each.

    Turns are passed on in the loop's next round: calls are read and answered in between, so that
    who comes from another namespace is seen before all those that wait have been served. For work
    that never waits, `at_once` is how much of it is done in one round.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._free = at_once
        self._ended = 0

    @asynccontextmanager
    async def take(self, namespace: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as this lasts."""
        loop = asyncio.get_running_loop()
        if self._free:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting.setdefault(namespace, deque()).append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it had just come
                    self._pass_on()
                raise
        try:
            yield
        finally:
            if not self._ended:
                loop.call_soon(self._pass_all_on)
            self._ended += 1

    def _pass_all_on(self) -> None:
        ended, self._ended = self._ended, 0
        for _ in range(ended):
            self._pass_on()

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
        self._free += 1
