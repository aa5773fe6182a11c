"""Owns how many may be asking at once: peers take turns, and none may have many waiting.

Must not know what is asked: nobody has proven anything yet but where he comes from.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from webhook.controller.broker.refusals import RefusedError
from webhook.serving.turns import Turns

_AT_ONCE: Final = 16
_OF_A_PEER: Final = 64
_OF_ALL: Final = 2048


class Crowd:
    """Who is being answered, and who waits for that."""

    def __init__(self, at_once: int = _AT_ONCE, of_a_peer: int = _OF_A_PEER) -> None:
        self._turns = Turns(at_once)
        self._of_a_peer = of_a_peer
        self._peers: Counter[str] = Counter()

    @asynccontextmanager
    async def enter(self, peer: str) -> AsyncIterator[None]:
        """Wait for a turn, unless too many of this peer do already."""
        if self._peers[peer] >= self._of_a_peer or self._peers.total() >= _OF_ALL:
            raise RefusedError("busy", "too many calls are waiting: come again")
        self._peers[peer] += 1
        try:
            async with self._turns.take(peer, ""):
                yield
        finally:
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]
