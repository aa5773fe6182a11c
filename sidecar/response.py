"""Owns the strict parse of a response head and its framing. Pure.

Must not touch bodies. What is not exactly HTTP/1.1, or could be framed two ways, is refused:
the connection that brought it is not used again and the client gets a 502. Heads repeat but for
the audit id that the API server echoes, so a judged head is remembered with that id cut out.
"""

import re
from dataclasses import dataclass

CHUNKED = -1
UNTIL_CLOSE = -2
_MEMO_HEADS = 1024
_MEMO_HEAD_BYTES = 2048

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
    )
)
_JUDGED = frozenset((b"connection", b"content-length", b"transfer-encoding", b"upgrade"))
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"content-type"))
_PLAIN_CONNECTION = frozenset((b"keep-alive", b"close", b"upgrade", b""))
_BODYLESS = frozenset((204, 304))

_heads: dict[tuple[bytes, bytes], "ResponseHead"] = {}


class ResponseError(ValueError):
    """The upstream's answer is not one that can be passed on; the text says why."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What a response head says about what follows it."""

    status: int
    length: int  # of the body; CHUNKED or UNTIL_CLOSE
    keep_alive: bool
    upgrade: bytes
    dropped: frozenset[bytes]  # fields that end here; empty: pass the head as it is
    content_type: bytes
    encoded: bool

    def body_length(self, method: str) -> int:
        """The framing of the body that follows, given the request's method."""
        if method == "HEAD" or self.status in _BODYLESS or self.status < 200:
            return 0
        return self.length

    def forwarded(self, head: bytes, extra: bytes = b"") -> bytes:
        """The head as the client gets it: less what is hop by hop, plus `extra` lines."""
        if not self.dropped and not extra:
            return head
        lines = head[:-4].split(b"\r\n")
        kept = [lines[0]]
        kept += [line for line in lines[1:] if line.partition(b":")[0].lower() not in self.dropped]
        return b"\r\n".join(kept) + b"\r\n" + extra + b"\r\n"


def parse_response(head: bytes, ident: bytes) -> ResponseHead:
    """Judge a response head that ends with its blank line; raises ResponseError."""
    before, _, after = head.partition(ident)
    key = (before, after)
    known = _heads.get(key)
    if known is not None:
        return known
    parsed = _parse(head)
    if len(head) <= _MEMO_HEAD_BYTES:
        if len(_heads) >= _MEMO_HEADS:
            _heads.clear()
        _heads[key] = parsed
    return parsed


def _parse(head: bytes) -> ResponseHead:
    lines = head[:-4].split(b"\r\n")
    match = _STATUS.fullmatch(lines[0])
    if match is None:
        raise ResponseError("its status line is not HTTP/1.1")
    status = int(match[1])
    judged: dict[bytes, list[bytes]] = {}
    dropped = set()
    content_type = b""
    encoded = False
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise ResponseError("a header line is not `name: value`")
        name = field[1].lower()
        if name in _JUDGED:
            judged.setdefault(name, []).append(field[2].strip(b" \t"))
        if name in _HOP or name.startswith(b"mca-"):
            dropped.add(name)
        elif name == b"content-type":
            content_type = field[2].strip(b" \t").lower()
        elif name == b"content-encoding":
            encoded = True
    connection = _connection(judged)
    dropped |= _named(connection)
    length = _body_length(judged)
    return ResponseHead(
        status=status,
        length=length,
        keep_alive=b"close" not in connection and length != UNTIL_CLOSE,
        upgrade=(judged.get(b"upgrade") or [b""])[0].lower() if b"upgrade" in connection else b"",
        dropped=frozenset(dropped),
        content_type=content_type,
        encoded=encoded,
    )


def _connection(judged: dict[bytes, list[bytes]]) -> set[bytes]:
    values = judged.get(b"connection", ())
    return {token.strip(b" \t").lower() for value in values for token in value.split(b",")}


def _named(connection: set[bytes]) -> set[bytes]:
    named = connection - _PLAIN_CONNECTION
    if named & _FRAMING:
        raise ResponseError("its Connection header names a field that it must not")
    return named


def _body_length(judged: dict[bytes, list[bytes]]) -> int:
    lengths = judged.get(b"content-length")
    codings = judged.get(b"transfer-encoding")
    if codings is not None:
        if len(codings) != 1 or codings[0].lower() != b"chunked" or lengths is not None:
            raise ResponseError("its body is framed in two ways or in an unknown one")
        return CHUNKED
    if lengths is None:
        return UNTIL_CLOSE
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        raise ResponseError("its Content-Length is given twice or is no number")
    return int(lengths[0])
