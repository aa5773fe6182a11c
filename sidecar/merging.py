"""Owns the calls whose answers are gathered from members and made into one: discovery, and the
review of a caller's rules.

Must not read what is gathered: sidecar.discovery and sidecar.policy.rules do. Home's answer always
counts: its errors are the answer, and a member that is down or talks nonsense adds nothing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

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
from sidecar.tasks import spawn

if TYPE_CHECKING:
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
_SMALL_BYTES: Final = 256 * 1024  # what is merged between two calls; more in a thread


class _Remembered(NamedTuple):
    at: float
    offer: Offer


class Merging:
    """Gathers and merges."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate) -> None:
        self.loop = loop
        self._gate = gate
        self._members: Mapping[str, Member] = {}
        self._offers: dict[tuple[str, tuple[str, ...]], _Remembered] = {}
        self._told: dict[str, str] = {}  # what is wrong with a member's answers

    def adopt(self, members: Mapping[str, Member]) -> None:
        """Ask these from now on; what routes name may be other than it was."""
        self._members = members
        self._offers.clear()

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
            exchange.decided.info.path,
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
        inquiry = Inquiry(self.loop, then, limit=MAX_DISCOVERY_BYTES, timeout_s=timeout_s)
        client.hold(inquiry.cancel)
        inquiry.send_to(member, asked, exchange.ident)

    def remembered(self, member: Member, document: Document) -> Offer | None:
        """What the member offered a moment ago."""
        found = self._offers.get((member.name, document.offer_paths))
        return found.offer if found and monotonic() - found.at < _OFFER_S else None

    def read(
        self, member: Member, document: Document, told: Sequence[Told | Denial]
    ) -> Offer | None:
        """What a member offers; None, and a line in the log, if that cannot be told."""
        problem = ""
        for answer in told:
            if isinstance(answer, Denial):
                problem = answer.message
            elif answer.status != 200:
                problem = f"it answers {answer.status}"
        if not problem:
            contents = [answer.content for answer in told if isinstance(answer, Told)]
            try:
                offer = read_offer(contents, partial(self._names, member.name))
            except ValueError as failure:
                problem = str(failure)
            else:
                self._told.pop(member.name, None)
                key = (member.name, document.offer_paths)
                self._offers[key] = _Remembered(monotonic(), offer)
                return offer
        if self._told.get(member.name) != problem:
            self._told[member.name] = problem
            log_event("warning", "discovery_incomplete", cluster=member.name, reason=problem)
        return None

    def _names(self, cluster: str, group: str, resource: str) -> bool:
        policy = self._gate.policy
        return policy is not None and names_kind(policy.routing, cluster, group, resource)


class _Discovery:
    """One document under way: home's, what the members offer, and then, for some, theirs."""

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
        self._offers: dict[str, Offer] = {}
        self._specs: dict[str, bytes] = {}
        self._members = merging.others(exchange)

    def begin(self) -> None:
        """Ask all at once."""
        path = self._path()
        self._waiting = 1  # so that answers at hand do not end it before all are asked
        self._ask(self._merging.home(self._exchange), path, self._accept, self._on_home)
        for member in self._members:
            offer = self._merging.remembered(member, self._document)
            if offer is not None:
                self._offers[member.name] = offer
                continue
            self._ask_offer(member)
        self._arrive(self._on_offers)

    def _path(self) -> str:
        target = self._exchange.decided.line.split(b" ")[1].decode("ascii")
        return target.partition("?")[0] if self._document.asks_members else target

    def _ask(
        self, member: Member, path: str, accept: bytes, then: Callable[[Told | Denial], None]
    ) -> None:
        self._waiting += 1
        self._merging.ask(self._client, self._exchange, member, question(path, accept), then)

    def _ask_offer(self, member: Member) -> None:
        paths = self._document.offer_paths
        told: list[Told | Denial] = []

        def offered(answer: Told | Denial) -> None:
            told.append(answer)
            if len(told) == len(paths):
                offer = self._merging.read(member, self._document, told)
                if offer is not None:
                    self._offers[member.name] = offer
            self._arrive(self._on_offers)

        for path in paths:
            self._ask(member, path, b"Accept: " + OFFER_ACCEPT.encode(), offered)

    def _arrive(self, then: Callable[[], None]) -> None:
        self._waiting -= 1
        if not self._waiting and not self._exchange.over:
            then()

    def _on_home(self, told: Told | Denial) -> None:
        self._home = told
        if isinstance(told, Denial):
            self._exchange.fail(told.reason, told.rule, told.message)
        elif told.status not in (200, 404):
            _pass_on(self._client, self._exchange, told)
        self._arrive(self._on_offers)

    def _on_offers(self) -> None:
        """All is here but, for OpenAPI, the members' own documents."""
        offering = [member for member in self._members if member.name in self._offers]
        if not self._document.asks_members or not offering:
            self._merge()
            return
        self._waiting = 1
        for member in offering:
            self._ask(member, self._path(), self._accept, partial(self._on_spec, member))
        self._arrive(self._merge)

    def _on_spec(self, member: Member, told: Told | Denial) -> None:
        if isinstance(told, Told) and told.status == 200:
            self._specs[member.name] = told.content
        self._arrive(self._merge)

    def _merge(self) -> None:
        home = self._home
        if not isinstance(home, Told):
            return
        if len(home.content) + sum(map(len, self._specs.values())) < _SMALL_BYTES:
            self._answer(home, self._merged(home))
        else:
            spawn(self._merge_aside(home), "merge")

    async def _merge_aside(self, home: Told) -> None:
        """In a thread: to read megabytes of OpenAPI takes a good part of a second."""
        content = await asyncio.to_thread(self._merged, home)
        if not self._exchange.over:
            self._answer(home, content)

    def _merged(self, home: Told) -> bytes | None:
        names = [member.name for member in self._members if member.name in self._offers]
        try:
            return merge(
                self._document,
                home.content if home.status == 200 else None,
                [self._offers[name] for name in names],
                [self._specs.get(name) for name in names],
            )
        except ValueError as failure:
            log_event("warning", "discovery_unreadable", cluster="home", reason=str(failure))
            return None

    def _answer(self, home: Told, content: bytes | None) -> None:
        if content is None:
            _pass_on(self._client, self._exchange, home)
            return
        content_type = home.content_type if home.status == 200 else _JSON
        merged = Told(200, content_type, content, etag_of(content).encode())
        _pass_on(self._client, self._exchange, merged)


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
