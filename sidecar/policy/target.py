"""Owns the one parse of a request target: canonical or refused.

The target is forwarded as the very bytes that were judged, so whatever two readers could
understand differently is refused. Each path segment is decoded once and judged decoded. It must
not know what the paths mean.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sidecar.policy.verdict import Denial, Reason, shown

# The query keys that a decision or a plan reads. Given twice, or in a pair that the server would
# drop, they are refused; all other keys (exec puts commands there) are left unread and unkept.
DECIDING_KEYS: Final = frozenset(
    {
        "allowWatchBookmarks",
        "container",
        "continue",
        "fieldSelector",
        "insecureSkipTLSVerifyBackend",
        "labelSelector",
        "limit",
        "namespace",
        "resourceVersion",
        "resourceVersionMatch",
        "sendInitialEvents",
        "shardSelector",
        "timeoutSeconds",
        "watch",
    }
)

_PLAIN_KEYS: Final = {key.encode("ascii"): key for key in DECIDING_KEYS}

# Go's url.ParseQuery reads none at all beyond this many (GODEBUG urlmaxqueryparams).
_MAX_PAIRS: Final = 10_000

# A path that needs no decoding: pchar of RFC 3986 without ";", no dot segment, no empty segment
# but a last one.
_PLAIN_PATH: Final = re.compile(rb"/|(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]++)++/?")
_VISIBLE: Final = re.compile(rb"[!-\"$-~]*")
_FORBIDDEN_IN_PATH: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\;%]")
_DOT_SEGMENT: Final = re.compile(r"/\.\.?(?:/|\Z)")
_FORBIDDEN_IN_VALUE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_HEX: Final = b"0123456789abcdefABCDEF"
_ESCAPES: Final = {
    bytes((high, low)): bytes((int(bytes((high, low)), 16),)) for high in _HEX for low in _HEX
}


class Target(NamedTuple):
    """A canonical request target.

    A NamedTuple: a frozen dataclass takes three times as long to make.
    """

    raw: bytes
    path: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


def parse_target(raw: bytes) -> Target | Denial:
    """Read a request target in origin form, strictly.

    A Denial is always a 400 and nothing of it may go upstream.
    """
    raw_path, mark, raw_query = raw.partition(b"?")
    if _PLAIN_PATH.fullmatch(raw_path) is not None:
        path = raw_path.decode("ascii")
    else:
        decoded = _parse_path(raw_path)
        if isinstance(decoded, Denial):
            return decoded
        path = decoded
    if mark:
        query = _parse_query(raw_query)
        if isinstance(query, Denial):
            return query
    else:
        query = ()
    stripped = path.strip("/")
    return Target(raw, path, tuple(stripped.split("/")) if stripped else (), query)


def _refuse(what: str, remedy: str) -> Denial:
    return Denial(Reason.BAD_REQUEST, "target/canonical", f"{what}: {remedy}")


def _parse_path(raw_path: bytes) -> str | Denial:
    if not raw_path.startswith(b"/"):
        return _refuse(
            "the request target is not a path",
            "send it in origin form, beginning with one slash",
        )
    if _VISIBLE.fullmatch(raw_path) is None:
        return _refuse(
            "the path holds a byte that no URL may hold",
            "percent-encode spaces, '#', control and non-ASCII characters",
        )
    content = _unescape(raw_path)
    if content is None:
        return _refuse("the path has a bad percent escape", "write '%' and two hexadecimal digits")
    try:
        path = content.decode("utf-8")
    except UnicodeDecodeError:
        return _refuse("the path is not UTF-8", "encode names as UTF-8 before escaping them")
    # The server splits the decoded path: an escaped slash would make two segments of one.
    if content.count(b"/") != raw_path.count(b"/") or _FORBIDDEN_IN_PATH.search(path) is not None:
        return _refuse(
            "a path segment holds a slash, backslash, semicolon, percent sign or control character",
            "no name that is addressed through a path may hold one, escaped or not",
        )
    if "//" in path:
        return _refuse("the path has an empty segment", "write single slashes")
    if _DOT_SEGMENT.search(path) is not None:
        return _refuse("the path has a dot segment", "send the path already resolved")
    return path


def _unescape(raw: bytes) -> bytes | None:
    """Go's url.unescape for bytes; None where Go reports an error."""
    if b"%" not in raw:
        return raw
    first, *rest = raw.split(b"%")
    parts = [first]
    for piece in rest:
        byte = _ESCAPES.get(piece[:2])
        if byte is None:
            return None
        parts.append(byte)
        parts.append(piece[2:])
    return b"".join(parts)


def _parse_query(raw_query: bytes) -> tuple[tuple[str, str], ...] | Denial:
    """The deciding pairs as Go's url.ParseQuery yields them.

    Pairs with a bad escape or a semicolon are dropped by the server and forwarded by us; only when
    they carry a deciding key are they refused.
    """
    if _VISIBLE.fullmatch(raw_query) is None:
        return _refuse(
            "the query holds a byte that no URL may hold",
            "percent-encode spaces, '#', control and non-ASCII characters",
        )
    pairs = raw_query.split(b"&")
    if len(pairs) > _MAX_PAIRS:
        return _refuse("the query has too many pairs", f"the API server reads {_MAX_PAIRS}")
    if b";" in raw_query:
        hidden = _deciding_key_behind_semicolon(pairs)
        if hidden is not None:
            return _hidden(hidden)
        pairs = [pair for pair in pairs if b";" not in pair]
    return _read_pairs(pairs)


def _read_pairs(pairs: list[bytes]) -> tuple[tuple[str, str], ...] | Denial:
    found: dict[str, str] = {}
    for pair in pairs:
        raw_key, _, raw_value = pair.partition(b"=")
        key = _PLAIN_KEYS.get(raw_key)
        if key is None:
            key = _escaped_key(raw_key) if b"%" in raw_key else None
            if key is None:
                continue
        if key in found:
            return _refuse(f"the query gives {key} twice", "give it once")
        if b"%" in raw_value or b"+" in raw_value:
            value = _parse_value(key, raw_value)
            if isinstance(value, Denial):
                return value
        else:
            value = raw_value.decode("ascii")
        found[key] = value
    return tuple(found.items())


def _escaped_key(raw_key: bytes) -> str | None:
    """A deciding key that may be spelled with escapes; none holds a space, so `+` makes none."""
    content = _unescape(raw_key)
    return None if content is None else _PLAIN_KEYS.get(content)


def _deciding_key_behind_semicolon(pairs: list[bytes]) -> str | None:
    for pair in pairs:
        if b";" in pair:
            for piece in pair.split(b";"):
                key = _escaped_key(piece.partition(b"=")[0])
                if key is not None:
                    return key
    return None


def _parse_value(key: str, raw_value: bytes) -> str | Denial:
    content = _unescape(raw_value.replace(b"+", b" "))
    if content is None:
        return _hidden(key)
    try:
        value = content.decode("utf-8")
    except UnicodeDecodeError:
        return _refuse(f"the query's {key} is not UTF-8", "encode it before escaping it")
    if _FORBIDDEN_IN_VALUE.search(value) is not None:
        return _refuse(f"the query's {key} holds a control character", "leave it out")
    # Go folds case by Unicode in only one of its two readings of `watch`: fal\u017fe may be false.
    if key == "watch" and not value.isascii():
        return _refuse(f"the query's watch is {shown(value)!r}", "write true or false")
    return value


def _hidden(key: str) -> Denial:
    return _refuse(
        f"the query hides {key} in a pair that the API server drops",
        "escape ';' as %3B and '%' as %25",
    )
