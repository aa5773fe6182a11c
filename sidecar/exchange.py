"""Owns one call from its permit to its last byte: the state that both sides share.

Must not parse or own a connection. It stands between a client, which can be sent bytes, and an
upstream, which brings them; HTTP/2 streams or a merged list can take either place.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

from sidecar.policy.verdict import Denial, Reason
from sidecar.status import error_event_json, error_event_protobuf
from sidecar.watch_frames import JsonLines, LengthPrefixed

if TYPE_CHECKING:
    from sidecar.chunks import Body
    from sidecar.gate import Decided
    from sidecar.head import RequestHead
    from sidecar.objects import Inspection

REPLAY_BYTES = 16384


class Sink(Protocol):
    """Where an answer goes."""

    blocked: bool

    def send(self, data: bytes) -> None: ...
    def queue(self, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def complete(self, exchange: Exchange, now: float) -> None: ...
    def open_tunnel(self, exchange: Exchange) -> None: ...
    def cut(self, exchange: Exchange) -> None: ...
    def refuse(self, exchange: Exchange, refusal: Denial, retry_after: int | None) -> None: ...
    def tunnel_eof(self) -> None: ...


class Source(Protocol):
    """Where an answer comes from."""

    blocked: bool

    def send(self, data: bytes) -> None: ...
    def send_more(self, data: bytes) -> None: ...
    def resume_reading(self) -> None: ...
    def send_eof(self) -> None: ...
    def end_tunnel(self) -> None: ...
    def abandon(self) -> None: ...


class Exchange:
    """One permitted call under way."""

    __slots__ = (
        "answer",
        "asked",
        "body",
        "body_done",
        "bytes_in",
        "bytes_out",
        "client",
        "close",
        "decided",
        "eofs",
        "frames",
        "generation",
        "head",
        "ident",
        "inspection",
        "over",
        "refreshed",
        "replay",
        "responding",
        "retried",
        "started",
        "status",
        "trace",
        "tunnel",
        "upstream",
    )

    def __init__(self, client: Sink, decided: Decided, head: RequestHead, ident: bytes) -> None:
        self.client = client
        self.decided = decided
        self.head = head
        self.ident = ident
        self.started = monotonic()
        self.upstream: Source | None = None
        self.body: Body | None = None  # the request's, while more of it may come
        self.body_done = True
        self.replay: bytes | None = b""  # the request's body so far, while it may be sent again
        self.answer: Body | None = None  # the answer's, once it has begun
        self.frames: JsonLines | LengthPrefixed | None = None
        self.generation = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.status = 0
        self.close = head.close
        self.asked = head.expect  # the client waits for a 100
        self.eofs = 0  # ends of a tunnel that have come to an end
        self.over = False
        self.responding = False
        self.refreshed = False  # a 401 was met, and a newer credential asked for
        self.retried = False  # a pooled connection was dead, and another was taken
        # What its answer's objects are looked at for; set before the call is dispatched.
        self.inspection: Inspection | None = None
        self.trace = b""  # the client's traceparent, where it was cut out of its head
        self.tunnel = False

    def render(self, suffix: bytes) -> bytes:
        """The request as it goes upstream: the client's own line, what is kept, then ours."""
        head = self.head
        ident = self.ident
        if self.trace:
            end = b"\r\ntraceparent: " + self.trace + b"\r\n\r\n"
        elif head.traced:
            end = b"\r\n\r\n"
        else:
            end = b"\r\ntraceparent: 00-" + ident + b"-" + ident[16:] + b"-00\r\n\r\n"
        if self.asked:
            end = b"\r\nExpect: 100-continue" + end
        if head.upgrade:
            end = b"\r\nConnection: Upgrade\r\nUpgrade: " + head.upgrade + end
        return b"".join((self.decided.line, head.kept, suffix, ident, end, self.replay or b""))

    def take_body(self, data: bytes) -> None:
        """Pass on a piece of the request's body; what has no taker yet is kept."""
        self.bytes_in += len(data)
        upstream = self.upstream
        if self.replay is not None:
            self.replay += data
            if upstream is not None and len(self.replay) > REPLAY_BYTES:
                self.replay = None
        if upstream is not None:
            upstream.send_more(data)
            if upstream.blocked:
                self.client.pause_reading()
        elif self.bytes_in > 4 * REPLAY_BYTES:
            self.client.pause_reading()

    @property
    def can_replay(self) -> bool:
        """All that was sent is still at hand, and no answer has begun."""
        return self.replay is not None and self.body_done and not self.responding

    @property
    def watching(self) -> bool:
        """The answer is a watch under way."""
        return self.decided.watch and self.responding

    def fail(self, reason: Reason, rule: str, message: str, retry_after: int | None = None) -> None:
        """End the call with an answer of ours, or by a cut when another one has begun."""
        self.upstream = None
        if self.over:
            return
        if self.responding:
            self.client.cut(self)
        else:
            self.client.refuse(self, Denial(reason, rule, message), retry_after)

    def end_watch(self, refusal: Denial | None) -> None:
        """End a watch between two events, with an ERROR event if there is something to tell."""
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abandon()
        body = self.answer
        frames = self.frames
        whole = frames is not None and frames.at_boundary
        if not whole or body is None or not body.between_chunks:
            self.client.cut(self)
            return
        event = b""
        if refusal is not None:
            json = isinstance(frames, JsonLines)
            event = error_event_json(refusal) if json else error_event_protobuf(refusal)
            event = b"%x\r\n%b\r\n" % (len(event), event)
        self.close = True
        self.client.send(event + b"0\r\n\r\n")
        self.client.complete(self, monotonic())
