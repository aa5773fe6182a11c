"""Owns the grammar that request and response heads share. Pure.

Must not know which fields mean what. HTTP/1.1 as RFC 9112 has it, less what is obsolete.
"""

import re

FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
# Options of a Connection header that are not names of fields.
CONNECTION_OPTIONS = frozenset((b"keep-alive", b"close", b"upgrade", b""))
# Fields that a Connection header must not name: dropping one would change what a message is.
MESSAGE_FIELDS = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type"))
CHUNKED = -1
_LENGTH = re.compile(rb"[0-9]{1,18}")

Fields = dict[bytes, list[bytes]]


def parse_connection(fields: Fields) -> set[bytes]:
    """The tokens of all Connection headers."""
    values = fields.get(b"connection", ())
    return {token.strip(b" \t").lower() for value in values for token in value.split(b",")}


def parse_body_length(fields: Fields) -> int | None:
    """How a body is framed: its length, CHUNKED, or None where no field says; else ValueError."""
    lengths = fields.get(b"content-length")
    codings = fields.get(b"transfer-encoding")
    if codings is not None:
        if len(codings) != 1 or codings[0].lower() != b"chunked" or lengths is not None:
            raise ValueError("the body is framed in two ways or in an unknown one")
        return CHUNKED
    if lengths is None:
        return None
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        raise ValueError("Content-Length is given twice or is no number")
    return int(lengths[0])
