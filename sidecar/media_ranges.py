"""Owns what of an Accept header stays where the answer is looked into. Pure.

Must not read answers. The API server takes the first Accept line alone, and none for JSON.
"""

from __future__ import annotations

_JSON = b"application/json"
_PROTOBUF = b"application/vnd.kubernetes.protobuf"
_ANYTHING = frozenset((b"*/*", b"application/*", b""))


def reduce_accepts(kept: bytes, tagged: bool) -> bytes:
    """Header lines without Accept-Encoding and with one Accept; b"" where nothing is left of it.

    `tagged`: of JSON alone, where the client takes it: a list in protobuf stands behind its length
    and cannot grow on its way.
    """
    lines = []
    accepts: list[bytes] = []
    for line in kept.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"accept":
            accepts.append(value)
        elif name != b"accept-encoding":
            lines.append(line)
    found = _readable(accepts[0] if accepts else b"*/*", tagged)
    if not found:
        return b""
    lines.append(b"Accept: " + b",".join(found))
    return b"\r\n".join(lines)


def _readable(accept: bytes, tagged: bool) -> list[bytes]:
    """The media ranges that sidecar.objects reads, with their parameters."""
    found: list[tuple[bytes, bytes]] = []
    for media_range in accept.split(b","):
        media, semicolon, parameters = media_range.strip(b" \t").partition(b";")
        media = media.strip(b" \t").lower()
        if media in _ANYTHING:
            media = _JSON
        if media in (_JSON, _PROTOBUF):
            found.append((media, media + semicolon + parameters))
    json = [media_range for media, media_range in found if media == _JSON]
    return json if tagged and json else [media_range for _, media_range in found]
