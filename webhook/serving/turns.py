"""Owns whose turn it is: so many at once and no more; peers and their namespaces take turns.

Must not know what is done in a turn, nor how much of it may wait.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A semaphore that goes round among peers and their namespaces, however many wait in each.

    Turns are passed on in the loop's next round: calls are read and answered in between, so that
    who comes from another namespace is seen before all those that wait have been served. For work
    that never waits, `at_once` is how much of it is done in one round.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}
        self._free = at_once
        self._ended = 0

    @asynccontextmanager
    async def take(self, peer: str, namespace: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as this lasts."""
        await self.begin(peer, namespace)
        try:
            yield
        finally:
            self.end()

    async def begin(self, peer: str, namespace: str) -> None:
        """Wait for a turn; whoever has it ends it."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        namespaces = self._waiting.setdefault(peer, {})
        namespaces.setdefault(namespace, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had just come
                self._pass_on()
            raise

    def end(self) -> None:
        """The turn is over."""
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._pass_all_on)
        self._ended += 1

    def _pass_all_on(self) -> None:
        ended, self._ended = self._ended, 0
        for _ in range(ended):
            self._pass_on()

    def _pass_on(self) -> None:
        """To the peer whose last turn was longest ago, and of its namespaces likewise."""
        while self._waiting:
            peer = next(iter(self._waiting))
            namespaces = self._waiting.pop(peer)
            namespace = next(iter(namespaces))
            queue = namespaces.pop(namespace)
            turn = queue.popleft()
            if queue:
                namespaces[namespace] = queue
            if namespaces:
                self._waiting[peer] = namespaces
            if not turn.done():  # who has given up is passed over
                turn.set_result(None)
                return
        self._free += 1
