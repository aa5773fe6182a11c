"""Owns that the same question is asked once, however many want to know, and kept for a moment.

Must not keep a failure: who asks next asks again.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_MOST: Final = 20_000


@dataclass(slots=True)
class _Flight(Generic[T]):
    future: "asyncio.Future[T]"
    until: float = float("inf")


class Flights(Generic[T]):
    """Answers by their questions; one that was given counts for as long as it says itself."""

    def __init__(self, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._flights: dict[Hashable, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def knows(self, question: Hashable) -> bool:
        """Whether it is answered, or on its way."""
        flight = self._flights.get(question)
        return flight is not None and flight.until > self._clock()

    def forget(self, question: Hashable) -> None:
        """Ask anew; whoever waits for the last answer gets that."""
        self._flights.pop(question, None)

    async def share(
        self,
        question: Hashable,
        ask: "Callable[[], asyncio.Future[T]]",
        keep_s: Callable[[T], float],
    ) -> T:
        """The answer; whoever gives up leaves the others theirs."""
        flight = self._flights.get(question)
        if flight is None or flight.until <= self._clock():
            self._make_room()
            flight = _Flight(ask())
            self._flights.pop(question, None)
            self._flights[question] = flight
            flight.future.add_done_callback(partial(self._land, question, flight, keep_s))
        return await asyncio.shield(flight.future)

    def _land(
        self,
        question: Hashable,
        flight: _Flight[T],
        keep_s: Callable[[T], float],
        future: "asyncio.Future[T]",
    ) -> None:
        if future.cancelled() or future.exception() is not None:
            if self._flights.get(question) is flight:
                del self._flights[question]
        else:
            flight.until = self._clock() + keep_s(future.result())

    def _make_room(self) -> None:
        """The oldest first: one that is on its way is answered all the same."""
        if len(self._flights) < self._most:
            return
        now = self._clock()
        self._flights = {key: kept for key, kept in self._flights.items() if kept.until > now}
        while len(self._flights) >= self._most:
            del self._flights[next(iter(self._flights))]
