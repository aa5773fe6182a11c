"""Owns the calls whose answers are made of members' answers: discovery, and reviews of a caller's
rules.

Must not read what is gathered: sidecar.discoveries and sidecar.policy.rules do. It is imported when
a snapshot with a tenant or routes comes into use: most pods need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.defects import guard
from sidecar.discoveries import Discoveries, pass_on
from sidecar.inquiry import Inquiry, Told, question
from sidecar.policy.reviews import read_rules_namespace
from sidecar.policy.rules import reduce_rules
from sidecar.policy.verdict import Denial, Reason
from sidecar.policy.views import rules_view

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from sidecar.downstream import Client
    from sidecar.exchange import Exchange
    from sidecar.gate import Gate
    from sidecar.member import Member
    from sidecar.policy.verdict import Body

_RULES_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_MAX_ANSWER: Final = 4 << 20


class Merging:
    """Carries out what one member cannot answer alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate) -> None:
        self._loop = loop
        self._gate = gate
        self._discoveries = Discoveries(loop, gate)

    def adopt(self, members: Mapping[str, Member]) -> None:
        """Ask these from now on."""
        self._discoveries.adopt(members)

    def discover(self, client: Client, exchange: Exchange) -> bool:
        """Answer with a merged document; False if this one is home's alone."""
        return self._discoveries.answer(client, exchange)

    def review_rules(self, client: Client, exchange: Exchange, member: Member, body: Body) -> None:
        """Answer with those of a member's rules that policy allows as well."""
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
                pass_on(client, exchange, told)
            else:
                self._reduce(client, exchange, namespace, told)

        inquiry = Inquiry(
            self._loop,
            guard(exchange, reviewed),
            limit=_MAX_ANSWER,
            timeout_s=member.limits.response_timeout_s,
        )
        client.hold(inquiry.cancel)
        inquiry.send_to(member, asked, exchange.ident)

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
