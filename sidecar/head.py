"""Owns the strict parse of an HTTP/1.1 request head and what of it goes upstream. Pure.

Must not decide what a call may do: it says what was asked, who claims to ask (the token), how
the body is framed, and which header lines are fit to forward. What is not exactly HTTP/1.1, or
could be read two ways, is refused. Lines repeat from call to call, so each is judged once and
remembered; a line that is seen for the first time takes the full grammar.
"""

import re
from typing import NamedTuple

from sidecar.grammar import (
    CHUNKED,
    CONNECTION_OPTIONS,
    FIELD,
    MESSAGE_FIELDS,
    parse_body_length,
    parse_connection,
)
from sidecar.media_ranges import reduce_accepts
from sidecar.policy.verdict import Denial, Reason

MAX_FIELDS = 200
_MEMO_LINES = 2048
_MEMO_LINE_BYTES = 512

_REQUEST_LINE = re.compile(rb"([A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP/1\.1")
_VERSION = re.compile(rb"[A-Z]+ [\x21-\x7e]+ HTTP/[0-9.]+")
_ORIGIN = re.compile(rb"https?://([^/?#@\s]+)")
_TRACE = rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT = re.compile(_TRACE + rb"[ \t]*")
_TRACE_LINE = re.compile(rb"\r\n[Tt]raceparent: (" + _TRACE + rb")(?=\r\n)")
_BEARER_PROTOCOL = b"base64url.bearer.authorization.k8s.io."

# What a line means: forward it, drop it, or look at it (a name).
_KEEP = b"keep"
_DROP = b"drop"
_STRIPPED = frozenset(
    (
        b"accept-charset-override",
        b"alt-used",
        b"audit-id",
        b"client-cert",
        b"client-cert-chain",
        b"cookie",
        b"cookie2",
        b"forwarded",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"true-client-ip",
        b"via",
        b"x-client-cert",
        b"x-envoy-original-path",
        b"x-forwarded",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-method",
        b"x-original-uri",
        b"x-original-url",
        b"x-real-ip",
        b"x-rewrite-url",
        b"x-ssl-client-cert",
    )
)
_STRIPPED_PREFIXES = (b"x-remote-", b"x-forwarded-", b"mca-")
_JUDGED = frozenset(
    (
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"origin",
        b"sec-websocket-protocol",
        b"transfer-encoding",
        b"upgrade",
    )
)
_NEVER_REPEAT = frozenset((b"traceparent", b"tracestate", b"x-request-id", b"kubectl-session"))
_UPGRADES = frozenset((b"websocket", b"spdy/3.1"))

_FRAMING_LINE = re.compile(rb"\r\n(?:Content-Length: [0-9]+|Transfer-Encoding: chunked)(?=\r\n|\Z)")
_MEMO_INSPECTED = 256
_MEMO_INSPECTED_BYTES = 4096

_lines: dict[bytes, bytes] = {}
_inspected: dict[tuple[bytes, bool], bytes] = {}


class RequestHead(NamedTuple):
    """What one request's header block says; `kept` starts with CRLF and has no blank line."""

    kept: bytes
    token: bytes
    length: int  # of the body; CHUNKED when it comes in chunks
    close: bool
    upgrade: bytes  # b"" or the protocol, as the client spelled it
    expect: bool
    traced: bool
    content_type: str
    content_encoding: str
    repeats: bool  # every line was seen before: worth remembering as a whole

    @property
    def plain(self) -> bool:
        """Worth remembering: nothing in it but fields that come again."""
        return self.repeats and not self.upgrade and not self.expect

    def resized(self, length: int) -> "RequestHead":
        """The head of the same request with another body, of this length."""
        kept = _FRAMING_LINE.sub(b"\r\nContent-Length: %d" % length, self.kept)
        return self._replace(kept=kept, length=length)

    def inspected(self, tagged: bool) -> "RequestHead | None":
        """The head of a request whose answer is looked into; None: no answer would be taken.

        It asks for no compression, and only for formats that sidecar.objects reads.
        """
        key = (self.kept, tagged)
        kept = _inspected.get(key)
        if kept is None:
            kept = reduce_accepts(self.kept, tagged)
            if len(self.kept) <= _MEMO_INSPECTED_BYTES:
                if len(_inspected) >= _MEMO_INSPECTED:
                    _inspected.clear()
                _inspected[key] = kept
        return self._replace(kept=kept) if kept else None


class _Fields:
    """The judged fields of one head, gathered; each may be checked only once."""

    __slots__ = ("kept", "repeats", "seen", "traced")

    def __init__(self) -> None:
        self.kept: list[bytes] = [b""]
        self.seen: dict[bytes, list[bytes]] = {}
        self.repeats = True
        self.traced = False

    def one(self, name: bytes) -> bytes | None:
        values = self.seen.get(name)
        return values[0] if values else None


def split_request_line(line: bytes) -> tuple[str, bytes] | Denial:
    """Method and raw target of a request line."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if _VERSION.fullmatch(line):
            return _bad("version", "only HTTP/1.1 is served here")
        return _bad("request-line", "the request line is not a method, a target and HTTP/1.1")
    return match[1].decode("ascii"), match[2]


def cut_trace(block: bytes) -> tuple[bytes, bytes]:
    """Take a sound traceparent line out of a block: it alone is new in each call of a client.

    What is left is judged, and remembered, without it. One that is odd, given twice or named by
    Connection is left to `parse_head`.
    """
    match = _TRACE_LINE.search(block)
    if match is None or block.lower().count(b"traceparent") != 1:
        return block, b""
    return block[: match.start()] + block[match.end() :], match[1]


def parse_head(block: bytes, hosts: frozenset[bytes]) -> RequestHead | Denial:
    """Judge a header block: from the CRLF after the request line to the blank line's CRLF."""
    fields = _gather(block)
    if isinstance(fields, Denial):
        return fields
    seen = fields.seen
    if not seen.keys() - {b"host", b"authorization"} and len(seen) == 2:
        refused = _check_host(fields, hosts)
        length = 0
        connection: set[bytes] = set()
    else:
        refused = _check_host(fields, hosts) or _check_origin(fields) or _check_single(fields)
        connection = parse_connection(seen)
        refused = refused or _apply_connection(fields, connection)
        try:
            length = parse_body_length(seen) or 0
        except ValueError as failure:
            return refused or _bad("framing", str(failure))
    if refused is not None:
        return refused
    upgrade = fields.one(b"upgrade") if b"upgrade" in connection else None
    if upgrade is not None and (upgrade.lower() not in _UPGRADES or length != 0):
        return _bad("upgrade", "only WebSocket and SPDY upgrades without a body are served here")
    if length > 0 or b"content-length" in seen:
        fields.kept.append(b"Content-Length: %d" % length)
    elif length == CHUNKED:
        fields.kept.append(b"Transfer-Encoding: chunked")
    protocols = _websocket_protocols(fields) if b"sec-websocket-protocol" in seen else b""
    token = _token(fields, protocols)
    if isinstance(token, Denial):
        return token
    return RequestHead(
        kept=b"\r\n".join(fields.kept),
        token=token,
        length=length,
        # Whatever comes of an upgrade, what follows it is no request.
        close=upgrade is not None or b"close" in connection,
        upgrade=upgrade or b"",
        expect=b"expect" in seen,
        traced=fields.traced,
        content_type=(fields.one(b"content-type") or b"").decode("latin-1"),
        content_encoding=(fields.one(b"content-encoding") or b"").decode("latin-1"),
        repeats=fields.repeats,
    )


def _gather(block: bytes) -> _Fields | Denial:
    fields = _Fields()
    lines = block[2:-4].split(b"\r\n") if len(block) > 4 else []
    if len(lines) > MAX_FIELDS:
        return Denial(
            Reason.HEADER_FIELDS_TOO_LARGE,
            "http/fields",
            f"the request has {len(lines)} header fields; {MAX_FIELDS} are served",
        )
    known = _lines
    kept = fields.kept
    for line in lines:
        kind = known.get(line)
        if kind is None:
            judged = _classify(line, fields)
            if isinstance(judged, Denial):
                return judged
            kind = judged
        if kind is _KEEP:
            kept.append(line)
        elif kind is not _DROP:
            value = line[len(kind) + 1 :].strip(b" \t")
            fields.seen.setdefault(kind, []).append(value)
            if kind == b"content-type" or kind == b"content-encoding":
                kept.append(line)
    return fields


def _classify(line: bytes, fields: _Fields) -> bytes | Denial:
    match = FIELD.fullmatch(line)
    if match is None:
        return _bad("field", "a header line is not `name: value`")
    name = match[1].lower()
    kind = _kind(name)
    if isinstance(kind, Denial):
        return kind
    if name in _NEVER_REPEAT:
        fields.repeats = False
        if name == b"traceparent":
            if fields.traced or not _TRACEPARENT.fullmatch(match[2]):
                return _DROP  # W3C: a malformed parent begins a new trace
            fields.traced = True
    elif len(line) <= _MEMO_LINE_BYTES:
        if len(_lines) >= _MEMO_LINES:
            _lines.clear()
        _lines[line] = kind
    # Seen for the first time, so the block was too: it is remembered when it comes again.
    fields.repeats = False
    return kind


def _kind(name: bytes) -> bytes | Denial:
    """What is to be done with every field of this name."""
    if b"_" in name:
        return _bad("field", "header names with an underscore are not served")
    if name.startswith(b"impersonate-"):
        return Denial(
            Reason.FORBIDDEN,
            "guard/impersonation",
            "impersonation is not available through MCA: "
            "calls are made with the workload's own rights",
        )
    if name in _JUDGED:
        return name
    if name in _STRIPPED or name.startswith(_STRIPPED_PREFIXES):
        return _DROP
    return _KEEP


def _check_host(fields: _Fields, hosts: frozenset[bytes]) -> Denial | None:
    values = fields.seen.get(b"host", [])
    if len(values) != 1:
        return _bad("host", "exactly one Host header is needed")
    if values[0].lower() not in hosts:
        return Denial(
            Reason.MISDIRECTED_REQUEST,
            "http/host",
            "the Host header does not name this API; "
            "use 127.0.0.1, localhost or kubernetes.default.svc",
        )
    return None


def _check_origin(fields: _Fields) -> Denial | None:
    origins = fields.seen.get(b"origin")
    if origins is None:
        return None
    match = _ORIGIN.fullmatch(origins[0])
    host = fields.one(b"host") or b""
    if len(origins) == 1 and match is not None and match[1].lower() == host.lower():
        return None
    return Denial(Reason.FORBIDDEN, "http/origin", "calls from another web origin are not served")


def _check_single(fields: _Fields) -> Denial | None:
    for name in (b"content-type", b"content-encoding", b"upgrade"):
        if len(fields.seen.get(name, ())) > 1:
            return _bad("field", f"the {name.decode()} header is given twice")
    expect = fields.seen.get(b"expect")
    if expect is not None and [value.lower() for value in expect] != [b"100-continue"]:
        return _bad("expect", "only Expect: 100-continue is served")
    return None


def _apply_connection(fields: _Fields, tokens: set[bytes]) -> Denial | None:
    named = tokens - CONNECTION_OPTIONS
    if not named:
        return None
    if named & MESSAGE_FIELDS:
        return _bad("connection", "the Connection header names a field that it must not")
    fields.repeats = False
    fields.kept = [line for line in fields.kept if line.partition(b":")[0].lower() not in named]
    if b"traceparent" in named:
        fields.traced = False
    return None


def _websocket_protocols(fields: _Fields) -> bytes:
    """Keep the real subprotocols; return the bearer that one of them carried, if any."""
    bearer = b""
    for value in fields.seen[b"sec-websocket-protocol"]:
        protocols = [protocol.strip(b" \t") for protocol in value.split(b",")]
        real = [name for name in protocols if not name.lower().startswith(_BEARER_PROTOCOL)]
        for name in protocols:
            if name not in real:
                bearer = bearer + b" " + name[len(_BEARER_PROTOCOL) :]
        if real:
            fields.kept.append(b"Sec-WebSocket-Protocol: " + b", ".join(real))
    return bearer


def _token(fields: _Fields, protocols: bytes) -> bytes | Denial:
    """The one credential that the client presented."""
    claims = fields.seen.get(b"authorization", [])
    bearers = protocols.split()
    if len(claims) + len(bearers) != 1:
        many = "more than one credential" if claims or bearers else "no bearer token"
        return _unauthorized(f"the request carries {many}")
    if claims:
        scheme, _, token = claims[0].partition(b" ")
        if scheme.lower() != b"bearer" or not token or b" " in token:
            return _unauthorized("the Authorization header is not one bearer token")
        return token
    return _decode_bearer(bearers[0])


def _decode_bearer(encoded: bytes) -> bytes | Denial:
    from base64 import urlsafe_b64decode

    try:
        return urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    except ValueError:
        return _unauthorized("the WebSocket bearer is not base64url")


def _unauthorized(what: str) -> Denial:
    return Denial(
        Reason.UNAUTHORIZED,
        "identity/token",
        f"{what}; use the token in the service account folder of this container",
    )


def _bad(rule: str, message: str) -> Denial:
    return Denial(Reason.BAD_REQUEST, f"http/{rule}", message)
