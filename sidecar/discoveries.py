"""Owns documents of discovery under way: home's and what members offer are gathered, merged once,
and answered to all who asked for the same.

Must not read what is gathered: sidecar.discovery does. Home's answer always counts: its errors are
the answer, and a member that is down or talks nonsense adds nothing. One merge of megabytes is
under way at a time, since each takes several times its size.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from sidecar.defects import fail
from sidecar.discovery import Document, accept_for, document_at, etag_of, is_unchanged, merge
from sidecar.inquiry import Inquiry, Told, question
from sidecar.log import log_event
from sidecar.offering import KEPT_S, MEMBER_TIMEOUT_S, OFFERS_FIELD, Offers, size_of
from sidecar.offers import MAX_DISCOVERY_BYTES, Offer
from sidecar.policy.verdict import Denial
from sidecar.refusals import BODIES
from sidecar.tasks import aside, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidecar.downstream import Client
    from sidecar.exchange import Exchange
    from sidecar.gate import Gate
    from sidecar.head import RequestHead
    from sidecar.member import Member

_MOST_AT_ONCE: Final = 4
_SMALL_BYTES: Final = 256 * 1024  # what is merged between two calls; more in a thread
_LARGE_BYTES: Final = 64 * 1024
_UNREAD_BYTES: Final = 8 << 20  # of answers that clients have not taken, before large ones wait
_JSON: Final = b"application/json"
_T = TypeVar("_T")

Key = tuple[str, str, tuple[str, ...]]  # target, accept, candidates


class Discoveries:
    """Gathers and merges documents."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate) -> None:
        self.loop = loop
        self.lock = asyncio.Lock()
        self.members: Mapping[str, Member] = {}
        self._running: dict[Key, _Discovery] = {}
        self._queue: deque[_Discovery] = deque()
        self._begun = 0
        self._kept: dict[Key, Told] = {}
        self.offers = Offers(loop, gate, self.lock)

    def adopt(self, members: Mapping[str, Member]) -> None:
        """Ask these from now on; what routes name may be other than it was."""
        self.members = members
        self._running = {}
        self._kept.clear()
        self.offers.forget()

    def answer(self, client: Client, exchange: Exchange) -> bool:
        """Answer with a merged document; False if this one is home's alone."""
        decided = exchange.decided
        document = document_at(decided.info.path)
        accept = accept_for(document, _value(exchange.head, b"accept")) if document else ""
        if document is None or not accept or decided.plan is None:
            return False
        target = decided.line.split(b" ")[1].decode("ascii")
        if document.asks_members:
            target = target.partition("?")[0]
        key = (target, accept, decided.plan.candidates)
        kept = self._kept.get(key)
        if kept is not None:
            pass_on(client, exchange, kept)
            return True
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = _Discovery(self, key, document, exchange.ident)
            running.join(client, exchange)
            self._queue.append(running)
            self._begin_next()
        else:
            running.join(client, exchange)
        return True

    def _begin_next(self) -> None:
        while self._queue and self._begun < _MOST_AT_ONCE:
            self._begun += 1
            self._queue.popleft().begin()

    def ended(self, discovery: _Discovery, told: Told | None) -> None:
        """One is done; its document serves whoever asks within a moment."""
        if self._running.get(discovery.key) is discovery:
            del self._running[discovery.key]
            if told is not None:
                self._kept[discovery.key] = told
                self.loop.call_later(KEPT_S, self._kept.pop, discovery.key, None)
        if discovery in self._queue:
            self._queue.remove(discovery)
        else:
            self._begun -= 1
        self.loop.call_soon(self._begin_next)


class _Discovery:
    """One document: what the members offer and home's, and then, for some, theirs."""

    def __init__(self, owner: Discoveries, key: Key, document: Document, ident: bytes) -> None:
        self.key = key
        self._owner = owner
        self._document = document
        self._ident = ident
        self._target, accept, candidates = key
        self._accept = b"Accept: " + accept.encode("latin-1")
        self._home, *self._members = [owner.members[name] for name in candidates]
        self._era = owner.offers.era
        self._clients: dict[Exchange, Client] = {}
        self._inquiries: list[Inquiry] = []
        self._waiting = 0
        self._over = False
        self._answer: Told | None = None  # home's
        self._told: dict[Member, list[Told | Denial]] = {}
        self._sizes: dict[Member, int] = {}  # of the offers
        self._offers: dict[Member, Offer] = {}
        self._specs: dict[Member, bytes] = {}

    # -- who waits for it -------------------------------------------------------------------------

    def join(self, client: Client, exchange: Exchange) -> None:
        """One more waits for it, as long as its call is under way."""
        self._clients[exchange] = client
        client.hold(partial(self._leave, exchange))

    def _leave(self, exchange: Exchange) -> None:
        self._clients.pop(exchange, None)
        if not self._clients:
            self._end(None)

    def _end(self, told: Told | None) -> None:
        if self._over:
            return
        self._over = True
        for inquiry in self._inquiries:
            inquiry.cancel()
        self._owner.ended(self, told)

    def _tell(self, told: Told | Denial) -> None:
        """The end: the same for all."""
        if self._over:
            return
        self._end(told if isinstance(told, Told) and told.status == 200 else None)
        for exchange, client in list(self._clients.items()):
            if isinstance(told, Denial):
                exchange.fail(told.reason, told.rule, told.message)
            else:
                pass_on(client, exchange, told)

    def _guard(self, work: Callable[[_T], None]) -> Callable[[_T], None]:
        def guarded(value: _T) -> None:
            try:
                if not self._over:
                    work(value)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the clients are told
                self._fail(failure)

        return guarded

    def _fail(self, failure: Exception) -> None:
        self._end(None)
        for exchange in list(self._clients):
            fail(exchange, failure)

    # -- gathering --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask all at once; of a home that is down, home alone."""
        self._waiting = 1  # so that answers at hand do not end it before all are asked
        for member in self._members if self._home.available else ():
            known = self._owner.offers.remembered(member, self._document)
            if known is not None:
                self._offers[member], self._sizes[member] = known
                continue
            told = self._told[member] = []
            for path in self._document.offer_paths:
                self._ask(member, path, OFFERS_FIELD, partial(self._on_offer, told))
        self._ask(self._home, self._target, self._accept, self._on_home)
        self._arrive(self._on_all)

    def _ask(
        self, member: Member, path: str, accept: bytes, then: Callable[[Told | Denial], None]
    ) -> None:
        if self._over:
            return
        self._waiting += 1
        at_home = member is self._home
        inquiry = Inquiry(
            self._owner.loop,
            self._guard(then),
            limit=MAX_DISCOVERY_BYTES,
            timeout_s=member.limits.response_timeout_s if at_home else MEMBER_TIMEOUT_S,
        )
        self._inquiries.append(inquiry)
        inquiry.send_to(member, question(path, accept), self._ident)

    def _arrive(self, then: Callable[[], None]) -> None:
        self._waiting -= 1
        if not self._waiting and not self._over:
            then()

    def _on_offer(self, told: list[Told | Denial], answer: Told | Denial) -> None:
        told.append(answer)
        self._arrive(self._on_all)

    def _on_home(self, told: Told | Denial) -> None:
        if isinstance(told, Denial) or told.status not in (200, 404):
            self._tell(told)
            return
        self._answer = told
        self._arrive(self._on_all)

    def _on_all(self) -> None:
        """All is here but, for OpenAPI, the members' own documents."""
        for member, told in self._told.items():
            self._sizes[member] = size_of(told)
        self._work(self._read_offers, self._on_offers)

    def _read_offers(self) -> dict[Member, Offer | str]:
        return {
            member: self._owner.offers.read(member, told) for member, told in self._told.items()
        }

    def _on_offers(self, read: dict[Member, Offer | str]) -> None:
        for member, offer in read.items():
            if isinstance(offer, Offer):
                self._offers[member] = offer
            self._owner.offers.remember(
                member, self._document, offer, self._sizes[member], self._era
            )
        self._waiting = 1
        if self._document.asks_members:
            for member in [member for member, offer in self._offers.items() if offer.groups]:
                self._ask(member, self._target, self._accept, partial(self._on_spec, member))
        self._arrive(self._merge)

    def _on_spec(self, member: Member, told: Told | Denial) -> None:
        if isinstance(told, Told) and told.status == 200:
            self._specs[member] = told.content
        self._arrive(self._merge)

    # -- merging ----------------------------------------------------------------------------------

    def _merge(self) -> None:
        home = self._answer
        if home is not None:
            self._work(partial(self._merged, home), self._tell)

    def _merged(self, home: Told) -> Told:
        """The whole; home's own where nothing is added, or where it cannot be read."""
        members = [member for member in self._members if member in self._offers]
        try:
            content = merge(
                self._document,
                home.content if home.status == 200 else None,
                [self._offers[member] for member in members],
                [self._specs.get(member) for member in members],
            )
        except (ValueError, RecursionError) as failure:
            log_event("warning", "discovery_unreadable", cluster="home", reason=str(failure))
            return home
        if content is None:
            return home
        media = home.content_type if home.status == 200 else _JSON
        return Told(200, media, content, etag_of(content).encode())

    def _work(self, work: Callable[[], _T], then: Callable[[_T], None]) -> None:
        """Between two calls if it is little; to read megabytes takes a good part of a second."""
        size = sum(self._sizes.values()) + sum(map(len, self._specs.values()))
        if self._answer is not None:
            size += len(self._answer.content)
        if size < _SMALL_BYTES:
            then(work())
        else:
            spawn(self._work_aside(work, then), "merge")

    async def _work_aside(self, work: Callable[[], _T], then: Callable[[_T], None]) -> None:
        async with self._owner.lock:
            if self._over:
                return
            try:
                done = await aside(work)
            except Exception as failure:  # noqa: BLE001 - as above
                self._fail(failure)
                return
        self._guard(then)(done)


def pass_on(client: Client, exchange: Exchange, told: Told) -> None:
    """Answer so; or that the client has it already."""
    extra = b"ETag: %b\r\nVary: Accept\r\n" % told.etag if told.etag else b""
    known = _value(exchange.head, b"if-none-match")
    if told.status == 200 and told.etag and is_unchanged(known, told.etag.decode("latin-1")):
        client.answer(exchange, 304, b"", told.content_type, extra)
    elif len(told.content) > _LARGE_BYTES and _unread(client) > _UNREAD_BYTES:
        exchange.fail(BODIES.reason, BODIES.rule, BODIES.message, 1)
    else:
        client.answer(exchange, told.status, told.content, told.content_type, extra)


def _unread(client: Client) -> int:
    """What all clients together have been sent and not taken."""
    return sum(other.unsent for other in client.server.clients)


def _value(head: RequestHead, name: bytes) -> str:
    """A field of a request, its lines joined as one list."""
    found = []
    for line in head.kept.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.lower() == name:
            found.append(value.strip(b" \t"))
    return ", ".join(value.decode("latin-1") for value in found)
