"""Owns what members offer to discovery: asked for, remembered for a moment, and for longer where a
member does not tell.

Must not read what comes (sidecar.offers does) nor merge it.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.inquiry import Inquiry, Told, question
from sidecar.log import log_event
from sidecar.offers import MAX_DISCOVERY_BYTES, OFFER_ACCEPT, Offer, read_offer
from sidecar.policy.routing import names_kind
from sidecar.policy.verdict import Denial
from sidecar.tasks import aside, spawn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from sidecar.discovery import Document
    from sidecar.gate import Gate
    from sidecar.member import Member

KEPT_S: Final = 1.0  # clients ask for one document after the other, and many for the same
MEMBER_TIMEOUT_S: Final = 3.0  # home's answer waits for theirs
OFFERS_FIELD: Final = b"Accept: " + OFFER_ACCEPT.encode("ascii")
_FIRST_PAUSE_S: Final = 5.0
_LAST_PAUSE_S: Final = 60.0
_NOTHING: Final = Offer({})

_Key = tuple[str, tuple[str, ...]]  # cluster, paths


class _Remembered(NamedTuple):
    at: float
    offer: Offer
    size: int  # in bytes, as it came


class _Failing(NamedTuple):
    """A member that did not tell: nobody waits for it again until it does."""

    until: float
    pause_s: float


class Offers:
    """What each member offers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate, lock: asyncio.Lock) -> None:
        self.era = 0  # grows with each change of what members may be asked for
        self._loop = loop
        self._gate = gate
        self._lock = lock  # for what takes much memory
        self._offers: dict[_Key, _Remembered] = {}
        self._failing: dict[_Key, _Failing] = {}
        self._told: dict[str, str] = {}  # what is wrong with a member's answers

    def forget(self) -> None:
        """Members or routes have changed."""
        self.era += 1
        self._offers.clear()
        self._failing.clear()

    def remembered(self, member: Member, document: Document) -> tuple[Offer, int] | None:
        """What the member offered a moment ago, and how much that was; (nothing, 0) of one that
        does not tell, or what it told before. None: it is to be asked."""
        key = (member.name, document.offer_paths)
        found = self._offers.get(key)
        failing = self._failing.get(key)
        if failing is not None:
            if monotonic() >= failing.until:
                self._failing[key] = failing._replace(until=monotonic() + failing.pause_s)
                self._ask_again(member, document)
            return (found.offer, found.size) if found is not None else (_NOTHING, 0)
        if found is None or monotonic() - found.at >= KEPT_S:
            return None
        return found.offer, found.size

    def remember(
        self, member: Member, document: Document, offer: Offer | str, size: int, era: int
    ) -> None:
        """Keep what it offered; or that it does not tell, and why."""
        key = (member.name, document.offer_paths)
        if era != self.era:
            return  # another member, or other routes, since
        problem = offer if isinstance(offer, str) else ""
        if problem and self._told.get(member.name) != problem:
            log_event("warning", "discovery_incomplete", cluster=member.name, reason=problem)
        self._told[member.name] = problem
        if isinstance(offer, str):
            before = self._failing.get(key)
            pause_s = min(2 * before.pause_s, _LAST_PAUSE_S) if before else _FIRST_PAUSE_S
            self._failing[key] = _Failing(monotonic() + pause_s, pause_s)
        else:
            self._failing.pop(key, None)
            self._offers[key] = _Remembered(monotonic(), offer, size)

    def _ask_again(self, member: Member, document: Document) -> None:
        """Beside all calls: does it tell by now?"""
        told: list[Told | Denial] = []
        era = self.era

        def on_told(answer: Told | Denial) -> None:
            told.append(answer)
            if len(told) == len(document.offer_paths):
                spawn(self._read_again(member, document, told, era), "offer")

        for path in document.offer_paths:
            inquiry = Inquiry(
                self._loop, on_told, limit=MAX_DISCOVERY_BYTES, timeout_s=MEMBER_TIMEOUT_S
            )
            inquiry.send_to(member, question(path, OFFERS_FIELD), self._gate.next_ident())

    async def _read_again(
        self, member: Member, document: Document, told: list[Told | Denial], era: int
    ) -> None:
        size = size_of(told)
        async with self._lock:
            offer = await aside(lambda: self.read(member, told))
        self.remember(member, document, offer, size, era)

    def read(self, member: Member, told: Sequence[Told | Denial]) -> Offer | str:
        """What a member offers, or why that cannot be told. Touches nothing: a thread may do it."""
        for answer in told:
            if isinstance(answer, Denial):
                return answer.message
            if answer.status != 200:
                return f"it answers {answer.status}"
        contents = [answer.content for answer in told if isinstance(answer, Told)]
        try:
            return read_offer(contents, partial(self._names, member.name))
        except (ValueError, RecursionError) as failure:
            return str(failure)

    def _names(self, cluster: str, group: str, resource: str) -> bool:
        policy = self._gate.policy
        return policy is not None and names_kind(policy.routing, cluster, group, resource)


def size_of(told: Sequence[Told | Denial]) -> int:
    """How much came."""
    return sum(len(answer.content) for answer in told if isinstance(answer, Told))
