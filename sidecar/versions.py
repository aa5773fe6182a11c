"""Owns how a resourceVersion and a continue token name the cluster that they come from. Pure.

Must not know objects or bodies. Where a route has stand-ins a client may meet a version of one
cluster on another, and nothing in the number would tell. A tagged version is the cluster's own
with four digits behind it: clients since apimachinery 1.35 compare versions as decimal integers of
any length, so that of one cluster keep their order, and it never begins with a zero.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST_CODE = 1000
_CODES = 9000
_DIGITS = 4
# Compiled with the first use: few pods have a route with stand-ins, and every start would pay.
_CONTINUE = r"[A-Za-z0-9_=+/-]{1,8192}+"
_MARK = "."  # no URL escapes it, and no token of the API server (base64url) holds one
_NOT_UNRESERVED = rb"[^A-Za-z0-9._~-]"
_ESCAPE = rb"%([0-9A-Fa-f]{2})"
# "" is none, "0" is any: both mean the same on every cluster.
_UNTAGGED = frozenset({"", "0"})


class ForeignVersion(ValueError):  # noqa: N818 - what it tells is no defect
    """A version that this member did not give out; `code` says which did, if it is tagged."""

    def __init__(self, code: int | None) -> None:
        super().__init__("the version comes from another cluster or from before this route")
        self.code = code


def member_codes(route: str, clusters: Iterable[str]) -> dict[str, int]:
    """A code for each of a route's clusters: the same in every sidecar, unique within the route."""
    codes: dict[str, int] = {}
    taken: set[int] = set()
    for cluster in sorted(set(clusters)):
        place = crc32(f"{route}\0{cluster}".encode()) % _CODES
        while place in taken:
            place = (place + 1) % _CODES
        taken.add(place)
        codes[cluster] = _FIRST_CODE + place
    return codes


def tag(version: str, code: int) -> str:
    """The version as clients get it; ValueError for one that is no decimal integer."""
    if version in _UNTAGGED:
        return version
    if not _is_number(version):
        error = "a resourceVersion is no decimal integer"
        raise ValueError(error)
    return f"{version}{code}"


def untag(text: str) -> tuple[str, int] | None:
    """The cluster's own version, and the code of the cluster; None: it cannot be a tagged one."""
    if len(text) <= _DIGITS or not _is_number(text):
        return None
    code = text[-_DIGITS:]
    if not _is_code(code):
        return None
    return text[:-_DIGITS], int(code)


def tag_continue(token: str, code: int) -> str:
    """The token as clients get it; ValueError for one that is no base64.

    It is put between quotes as it is: any other could end them.
    """
    if token and re.fullmatch(_CONTINUE, token) is None:
        error = "a continue token is no base64, or too long"
        raise ValueError(error)
    return f"{code}{_MARK}{token}" if token else token


def untag_continue(text: str) -> tuple[str, int] | None:
    code, mark, token = text.partition(_MARK)
    if not mark or not token or not _is_code(code):
        return None
    return token, int(code)


def strip_version(text: str, code: int) -> str:
    """The member's own version; raises ForeignVersion where it is not of this member."""
    return text if text in _UNTAGGED else _own(untag(text), code)


def strip_continue(text: str, code: int) -> str:
    """The member's own continue token; raises ForeignVersion where it is not of this member."""
    return _own(untag_continue(text), code) if text else text


def _is_number(text: str) -> bool:
    """A decimal integer above zero, as it is written without leading zeros."""
    return text.isascii() and text.isdigit() and text[0] != "0"


def _is_code(text: str) -> bool:
    return len(text) == _DIGITS and _is_number(text)


def _own(found: tuple[str, int] | None, code: int) -> str:
    if found is None:
        raise ForeignVersion(None)
    if found[1] != code:
        raise ForeignVersion(found[1])
    return found[0]


def untag_line(line: bytes, code: int) -> bytes:
    """A request line as the member is to get it; raises ForeignVersion.

    The target is canonical (sidecar.policy.target): no deciding key stands in it twice or behind a
    semicolon. All pairs but the two keep their bytes.
    """
    head, mark, rest = line.partition(b"?")
    if not mark:
        return line
    query, space, protocol = rest.partition(b" ")
    pairs = [_untag_pair(pair, code) for pair in query.split(b"&")]
    return b"".join((head, mark, b"&".join(pairs), space, protocol))


def _untag_pair(pair: bytes, code: int) -> bytes:
    raw_key, _, raw_value = pair.partition(b"=")
    strip = _STRIPS.get(_unescape(raw_key) if b"%" in raw_key else raw_key)
    if strip is None:
        return pair
    # Latin-1 maps every byte; what is not ASCII is no version of anybody's.
    value = _unescape(raw_value.replace(b"+", b" ")).decode("latin-1")
    own = strip(value, code)
    if own == value:
        return pair
    return raw_key + b"=" + re.sub(_NOT_UNRESERVED, _escape, own.encode("latin-1"))


_STRIPS = {b"resourceVersion": strip_version, b"continue": strip_continue}


def _unescape(text: bytes) -> bytes:
    return re.sub(_ESCAPE, lambda match: bytes.fromhex(match[1].decode("ascii")), text)


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]
