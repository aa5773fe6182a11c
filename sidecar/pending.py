"""Owns requests that are not calls yet: a body is gathered, or a kind is learned, and then judged.

Must not judge (the gate does) nor hold more than was set aside. Nothing of such a request has gone
anywhere, and whatever ends it gives back what it held.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from sidecar.budget import Share
from sidecar.defects import guard_stream
from sidecar.gathering import Gathering
from sidecar.policy.verdict import Denial, Reason
from sidecar.refusals import BODIES, BODY_TOO_LARGE
from sidecar.stream import NEVER

if TYPE_CHECKING:
    from sidecar.downstream import Client
    from sidecar.gate import Decided, Known
    from sidecar.policy.verdict import NeedBody, NeedScope

_PIPELINED_BYTES: Final = 65536
# A kind on home, the same on a route's member, the kind that a review asks for.
_MOST_SCOPES: Final = 3

Asked = tuple["NeedScope", ...]


class Pending(Protocol):
    """A request that waits."""

    known: Known

    def on_data(self, data: bytes) -> None:
        """More of it, or what comes after it."""

    def drop(self) -> None:
        """Its client is gone, or it was refused."""


def gather(
    client: Client, known: Known, decided: Decided, need: NeedBody, rest: bytes, trace: bytes
) -> None:
    """Hold a request back until its body is here; judge it then."""
    server = client.server
    if known.head.length > need.limit:
        client.refuse_request(BODY_TOO_LARGE, known, decided, close=True)
        return
    # Bytes and payload; of a body whose length is known, both are that.
    most = 2 * known.head.length if known.head.length >= 0 else 3 * need.limit
    share = Share(server.budget, known.caller.container, most)
    pending = _Body(client, Gathering(known, decided, need.limit, trace), share)
    client.pending = pending
    # One for the whole body: one that drips would hold its share of memory for ever.
    client.deadline = monotonic() + server.limits.body_timeout_s
    if known.head.expect and not rest:
        client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    pending.on_data(rest)


def learn(
    client: Client, known: Known, decided: Decided, rest: bytes, trace: bytes, asked: Asked
) -> None:
    """Hold a request back until it is known whether its kind has namespaces; judge it again."""
    _Scope(client, known, decided, asked, rest, trace, None).begin()


class _Body:
    """A body that is gathered."""

    def __init__(self, client: Client, gathering: Gathering, share: Share) -> None:
        self.known = gathering.known
        self._client = client
        self._gathering = gathering
        self._share = share

    def on_data(self, data: bytes) -> None:
        client, gathering = self._client, self._gathering
        refusal = gathering.feed(data)
        if refusal is None and not self._share.grow(gathering.held):
            refusal = BODIES
        if refusal is not None:
            client.drop_pending()
            retry_after = 1 if refusal is BODIES else None
            client.refuse_request(
                refusal, self.known, gathering.decided, close=True, retry_after=retry_after
            )
        elif gathering.done:
            client.pending = None
            client.hold(self._share.give_back)
            _judge_body(client, gathering, ())

    def drop(self) -> None:
        self._share.give_back()


def _judge_body(client: Client, gathering: Gathering, asked: Asked) -> None:
    known = gathering.known
    body = gathering.body()
    decided = client.gate.judge_body(gathering.decided, known.caller, body)
    if decided.scope is not None:
        _Scope(client, known, decided, asked, b"", b"", gathering).begin()
    elif decided.refusal is not None:
        client.give_back()
        client.refuse_request(decided.refusal, known, decided, rest=gathering.rest)
    else:
        client.forward_judged(gathering, decided, body)


class _Scope:
    """A kind that is learned. A body that was gathered before waits along."""

    def __init__(
        self,
        client: Client,
        known: Known,
        decided: Decided,
        asked: Asked,
        rest: bytes,
        trace: bytes,
        gathering: Gathering | None,
    ) -> None:
        self.known = known
        self._client = client
        self._decided = decided
        self._asked = asked
        self._rest = rest
        self._trace = trace
        self._gathering = gathering

    def begin(self) -> None:
        """Ask for it."""
        scope = self._decided.scope
        if scope is None:
            return
        if scope in self._asked or len(self._asked) >= _MOST_SCOPES:
            self._refuse(_untold(scope))
            return
        refused = self._client.server.limiter.look_up(self.known.caller.container, monotonic())
        if refused is not None:
            self._refuse(refused.refusal, refused.retry_after_s)
            return
        self._asked = (*self._asked, scope)
        self._client.pending = self
        self._client.deadline = NEVER
        self._client.server.kinds.learn(scope, guard_stream(self._client, self._learned))

    def on_data(self, data: bytes) -> None:
        if self._gathering is not None:
            self._gathering.rest += data
            size = len(self._gathering.rest)
        else:
            self._rest += data
            size = len(self._rest)
        if size > _PIPELINED_BYTES:
            self._client.pause_reading()

    def drop(self) -> None:
        self._client.give_back()

    def _learned(self, failure: Denial | None) -> None:
        """It is known now, or cannot be."""
        client = self._client
        if client.pending is not self:
            return  # it was dropped
        client.pending = None
        if failure is not None:
            self._refuse(failure)
        elif self._gathering is not None:
            _judge_body(client, self._gathering, self._asked)
        else:
            self._judge_line()
        if not client.blocked:
            client.resume_reading()

    def _judge_line(self) -> None:
        client = self._client
        found = client.gate.judge_line(self.known, self._decided.line)
        if isinstance(found, Denial):
            client.refuse_early(found, self.known)
        else:
            client.admit(self.known, found, self._rest, self._trace, self._asked)

    def _refuse(self, refusal: Denial, retry_after: int | None = None) -> None:
        client = self._client
        if self._gathering is None:
            client.refuse_unread(refusal, self.known, self._decided, self._rest, retry_after)
            return
        client.give_back()
        rest = self._gathering.rest
        client.refuse_request(
            refusal, self.known, self._decided, retry_after=retry_after, rest=rest
        )


def _untold(scope: NeedScope) -> Denial:
    """What was learned did not help: it must not go on for ever."""
    return Denial(
        Reason.SERVICE_UNAVAILABLE,
        "tenant/unknown-scope",
        f"cluster {scope.cluster} does not tell whether {scope.resource} have namespaces, "
        "so the call cannot be judged; nothing was sent",
    )
