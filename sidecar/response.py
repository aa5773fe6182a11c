"""Owns the strict parse of a response head and its framing. Pure.

Must not touch bodies. What is not exactly HTTP/1.1, or could be framed two ways, is refused:
the connection that brought it is not used again and the client gets a 502. Heads repeat but for
the audit id that the API server echoes, so a judged head is remembered with that id cut out.
"""

import re
from typing import NamedTuple

from sidecar.grammar import (
    CONNECTION_OPTIONS,
    FIELD,
    MESSAGE_FIELDS,
    parse_body_length,
    parse_connection,
)

UNTIL_CLOSE = -2
_ECHOES = (b"\r\nAudit-Id: ", b"\r\naudit-id: ")  # Go writes the first
_MEMO_HEADS = 1024
_MEMO_HEAD_BYTES = 2048

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
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

_heads: dict[tuple[bytes, bytes], "ResponseHead"] = {}


class ResponseError(ValueError):
    """The upstream's answer is not one that can be passed on; the text says why."""


class ResponseHead(NamedTuple):
    """What a response head says about what follows it."""

    status: int
    length: int  # of the body; CHUNKED or UNTIL_CLOSE
    keep_alive: bool
    upgrade: bytes
    dropped: frozenset[bytes]  # fields that end here; empty: pass the head as it is
    content_type: bytes
    encoded: bool

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
    before, found, after = head.partition(ident)
    if found and not before.endswith(_ECHOES):  # a name or an option would be another's next time
        return _parse(head)
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
        field = FIELD.fullmatch(line)
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
    connection = parse_connection(judged)
    dropped |= _named(connection)
    try:
        framing = parse_body_length(judged)
    except ValueError as failure:
        raise ResponseError(str(failure)) from None
    length = UNTIL_CLOSE if framing is None else framing
    return ResponseHead(
        status=status,
        length=length,
        keep_alive=b"close" not in connection and length != UNTIL_CLOSE,
        upgrade=(judged.get(b"upgrade") or [b""])[0].lower() if b"upgrade" in connection else b"",
        dropped=frozenset(dropped),
        content_type=content_type,
        encoded=encoded,
    )


def _named(connection: set[bytes]) -> set[bytes]:
    named = connection - CONNECTION_OPTIONS
    if named & MESSAGE_FIELDS:
        raise ResponseError("its Connection header names a field that it must not")
    return named
