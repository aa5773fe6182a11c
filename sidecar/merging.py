"""Owns the calls whose answers are gathered from members and made into one: discovery, and the
review of a caller's rules.

Must not read what is gathered: sidecar.discovery and sidecar.policy.rules do. Home's answer always
counts: its errors are the answer, and a member that is down or talks nonsense adds nothing.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from sidecar.defects import fail, guard
from sidecar.discovery import (
    Document,
    accept_for,
    document_at,
    etag_of,
    is_unchanged,
    merge,
)
from sidecar.inquiry import Inquiry, Question, Told, question
from sidecar.log import log_event
from sidecar.offers import MAX_DISCOVERY_BYTES, OFFER_ACCEPT, Offer, read_offer
from sidecar.policy.reviews import read_rules_namespace
from sidecar.policy.routing import names_kind
from sidecar.policy.rules import reduce_rules
from sidecar.policy.verdict import Denial, Reason
from sidecar.policy.views import rules_view
from sidecar.tasks import aside, spawn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from sidecar.downstream import Client
    from sidecar.exchange import Exchange
    from sidecar.gate import Gate
    from sidecar.head import RequestHead
    from sidecar.member import Member
    from sidecar.policy.verdict import Body

_MEMBER_TIMEOUT_S: Final = 3.0  # home's answer waits for theirs
_OFFER_S: Final = 1.0
_JSON: Final = b"application/json"
_RULES_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_OFFERS: Final = b"Accept: " + OFFER_ACCEPT.encode("ascii")
_SMALL_BYTES: Final = 256 * 1024  # what is merged between two calls; more in a thread


_T = TypeVar("_T")


class _Remembered(NamedTuple):
    at: float
    offer: Offer
    size: int  # in bytes, as it came


class Merging:
    """Gathers and merges."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate) -> None:
        self.loop = loop
        self.era = 0  # grows with each change of what members may be asked for
        self._gate = gate
        self._members: Mapping[str, Member] = {}
        self._offers: dict[tuple[str, tuple[str, ...]], _Remembered] = {}
        self._told: dict[str, str] = {}  # what is wrong with a member's answers

    def adopt(self, members: Mapping[str, Member]) -> None:
        """Ask these from now on; what routes name may be other than it was."""
        self._members = members
        self._offers.clear()
        self.era += 1

    def discover(self, client: Client, exchange: Exchange) -> bool:
        """Answer with a merged document; False if this one is home's alone."""
        decided = exchange.decided
        document = document_at(decided.info.path)
        if document is None:
            return False
        accept = accept_for(document, _value(exchange.head, b"accept"))
        if not accept:
            return False
        _Discovery(self, client, exchange, document, accept).begin()
        return True

    def review_rules(self, client: Client, exchange: Exchange, body: Body) -> None:
        """Answer with those of home's rules that policy allows as well."""
        namespace = read_rules_namespace(body)
        if isinstance(namespace, Denial):
            exchange.fail(namespace.reason, namespace.rule, namespace.message)
            return
        asked = question(
            _RULES_REVIEWS,
            b"Accept: application/json",
            b"Content-Type: " + body.content_type.encode("latin-1"),
            b"Content-Length: %d" % len(body.content),
            method="POST",
        )._replace(body=body.content)

        def reviewed(told: Told | Denial) -> None:
            if isinstance(told, Denial):
                exchange.fail(told.reason, told.rule, told.message)
            elif told.status != 201:
                _pass_on(client, exchange, told)
            else:
                self._reduce(client, exchange, namespace, told)

        self.ask(client, exchange, self.home(exchange), asked, reviewed)

    def _reduce(self, client: Client, exchange: Exchange, namespace: str, told: Told) -> None:
        gate = self._gate
        if gate.policy is None:
            raise AssertionError("what was permitted was permitted by a policy")
        view = rules_view(gate.policy, gate.scopes, exchange.decided.caller, namespace)
        try:
            content = reduce_rules(told.content, view)
        except ValueError as failure:
            message = f"the home cluster's review of rules cannot be read: {failure}"
            exchange.fail(Reason.BAD_GATEWAY, "upstream/malformed", message)
            return
        client.answer(exchange, 201, content)

    # -- asking -----------------------------------------------------------------------------------

    def home(self, exchange: Exchange) -> Member:
        """The first of the plan."""
        plan = exchange.decided.plan
        return self._members[plan.candidates[0] if plan is not None else ""]

    def others(self, exchange: Exchange) -> list[Member]:
        """The rest of the plan."""
        plan = exchange.decided.plan
        return [self._members[name] for name in plan.candidates[1:]] if plan is not None else []

    def ask(
        self,
        client: Client,
        exchange: Exchange,
        member: Member,
        asked: Question,
        then: Callable[[Told | Denial], None],
    ) -> None:
        """Ask a member on behalf of a call: it ends with the call."""
        at_home = member is self.home(exchange)
        timeout_s = member.limits.response_timeout_s if at_home else _MEMBER_TIMEOUT_S
        inquiry = Inquiry(
            self.loop, guard(exchange, then), limit=MAX_DISCOVERY_BYTES, timeout_s=timeout_s
        )
        client.hold(inquiry.cancel)
        inquiry.send_to(member, asked, exchange.ident)

    def remembered(self, member: Member, document: Document) -> tuple[Offer, int] | None:
        """What the member offered a moment ago, and how much that was."""
        found = self._offers.get((member.name, document.offer_paths))
        recent = found is not None and monotonic() - found.at < _OFFER_S
        return (found.offer, found.size) if found is not None and recent else None

    def remember(self, member: Member, document: Document, offer: Offer, size: int) -> None:
        """Keep it for a moment: clients ask for one document after the other."""
        self._offers[member.name, document.offer_paths] = _Remembered(monotonic(), offer, size)

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

    def tell(self, member: Member, problem: str) -> None:
        """Say once what is wrong with a member's offers; "": nothing any more."""
        if problem and self._told.get(member.name) != problem:
            log_event("warning", "discovery_incomplete", cluster=member.name, reason=problem)
        self._told[member.name] = problem

    def _names(self, cluster: str, group: str, resource: str) -> bool:
        policy = self._gate.policy
        return policy is not None and names_kind(policy.routing, cluster, group, resource)


class _Discovery:
    """One document under way: what the members offer and home's, and then, for some, theirs."""

    def __init__(
        self,
        merging: Merging,
        client: Client,
        exchange: Exchange,
        document: Document,
        accept: str,
    ) -> None:
        self._merging = merging
        self._client = client
        self._exchange = exchange
        self._document = document
        self._accept = b"Accept: " + accept.encode("latin-1")
        self._waiting = 0
        self._home: Told | Denial | None = None
        self._members = merging.others(exchange)
        self._era = merging.era
        self._told: dict[Member, list[Told | Denial]] = {}
        self._offers: dict[Member, Offer] = {}
        self._sizes: dict[Member, int] = {}  # of the offers
        self._specs: dict[Member, bytes] = {}

    def begin(self) -> None:
        """Ask all at once."""
        home = self._merging.home(self._exchange)
        self._waiting = 1  # so that answers at hand do not end it before all are asked
        for member in self._members if home.available else ():
            known = self._merging.remembered(member, self._document)
            if known is not None:
                self._offers[member], self._sizes[member] = known
                continue
            told = self._told[member] = []
            for path in self._document.offer_paths:
                self._ask(member, path, _OFFERS, partial(self._on_offer, told))
        self._ask(home, self._path(), self._accept, self._on_home)
        self._arrive(self._on_all)

    def _path(self) -> str:
        target = self._exchange.decided.line.split(b" ")[1].decode("ascii")
        return target.partition("?")[0] if self._document.asks_members else target

    def _ask(
        self, member: Member, path: str, accept: bytes, then: Callable[[Told | Denial], None]
    ) -> None:
        self._waiting += 1
        self._merging.ask(self._client, self._exchange, member, question(path, accept), then)

    def _arrive(self, then: Callable[[], None]) -> None:
        self._waiting -= 1
        if not self._waiting and not self._exchange.over:
            then()

    def _on_offer(self, told: list[Told | Denial], answer: Told | Denial) -> None:
        told.append(answer)
        self._arrive(self._on_all)

    def _on_home(self, told: Told | Denial) -> None:
        self._home = told
        if isinstance(told, Denial):
            self._exchange.fail(told.reason, told.rule, told.message)
        elif told.status not in (200, 404):
            _pass_on(self._client, self._exchange, told)
        self._arrive(self._on_all)

    def _on_all(self) -> None:
        """All is here but, for OpenAPI, the members' own documents."""
        for member, told in self._told.items():
            self._sizes[member] = sum(map(_size, told))
        self._work(self._read_offers, self._on_offers)

    def _read_offers(self) -> dict[Member, Offer | str]:
        return {member: self._merging.read(member, told) for member, told in self._told.items()}

    def _on_offers(self, read: dict[Member, Offer | str]) -> None:
        for member, offer in read.items():
            if isinstance(offer, str):
                self._merging.tell(member, offer)
                continue
            self._merging.tell(member, "")
            self._offers[member] = offer
            if self._merging.era == self._era:
                self._merging.remember(member, self._document, offer, self._sizes[member])
        self._waiting = 1
        if self._document.asks_members:
            for member in self._offers:
                self._ask(member, self._path(), self._accept, partial(self._on_spec, member))
        self._arrive(self._merge)

    def _on_spec(self, member: Member, told: Told | Denial) -> None:
        if isinstance(told, Told) and told.status == 200:
            self._specs[member] = told.content
        self._arrive(self._merge)

    def _merge(self) -> None:
        home = self._home
        if not isinstance(home, Told):
            return
        self._work(partial(self._merged, home), partial(self._answer, home))

    def _merged(self, home: Told) -> bytes | None:
        members = [member for member in self._members if member in self._offers]
        try:
            return merge(
                self._document,
                home.content if home.status == 200 else None,
                [self._offers[member] for member in members],
                [self._specs.get(member) for member in members],
            )
        except (ValueError, RecursionError) as failure:
            log_event("warning", "discovery_unreadable", cluster="home", reason=str(failure))
            return None

    def _work(self, work: Callable[[], _T], then: Callable[[_T], None]) -> None:
        """Between two calls if it is little; to read megabytes takes a good part of a second."""
        size = sum(self._sizes.values()) + sum(map(len, self._specs.values()))
        if isinstance(self._home, Told):
            size += len(self._home.content)
        if size < _SMALL_BYTES:
            then(work())
        else:
            spawn(self._work_aside(work, then), "merge")

    async def _work_aside(self, work: Callable[[], _T], then: Callable[[_T], None]) -> None:
        try:
            done = await aside(work)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the client is told
            fail(self._exchange, failure)
        else:
            if not self._exchange.over:
                guard(self._exchange, then)(done)

    def _answer(self, home: Told, content: bytes | None) -> None:
        if content is None:
            _pass_on(self._client, self._exchange, home)
            return
        content_type = home.content_type if home.status == 200 else _JSON
        merged = Told(200, content_type, content, etag_of(content).encode())
        _pass_on(self._client, self._exchange, merged)


def _size(told: Told | Denial) -> int:
    return len(told.content) if isinstance(told, Told) else 0


def _pass_on(client: Client, exchange: Exchange, told: Told) -> None:
    """Answer so; or that the client has it already."""
    extra = b"ETag: %b\r\nVary: Accept\r\n" % told.etag if told.etag else b""
    known = _value(exchange.head, b"if-none-match")
    if told.status == 200 and told.etag and is_unchanged(known, told.etag.decode("latin-1")):
        client.answer(exchange, 304, b"", told.content_type, extra)
    else:
        client.answer(exchange, told.status, told.content, told.content_type, extra)


def _value(head: RequestHead, name: bytes) -> str:
    """A field of a request, its lines joined as one list."""
    found = []
    for line in head.kept.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.lower() == name:
            found.append(value.strip(b" \t"))
    return ", ".join(value.decode("latin-1") for value in found)
