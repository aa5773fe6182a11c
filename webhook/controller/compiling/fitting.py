"""Owns what is left out of a snapshot that is too large: routes, the lowest priority first.

Scope, permissions and members always stay. Must not know what a route says.
"""

import json
from typing import Any, Final

from sidecar.policy.snapshot import MAX_EVENT_BYTES, MAX_SNAPSHOT_BYTES

# What a ConfigMap holds is counted by its values; the margin is for a longer revision, and for us.
MAX_BYTES: Final = MAX_SNAPSHOT_BYTES - 16 * 1024
# What a watch brings of it; the margin is for the object around the text.
MAX_SENT_BYTES: Final = MAX_EVENT_BYTES - 64 * 1024

_ESCAPED: Final = {b'"': 1, b"\\": 1, b"<": 5, b">": 5, b"&": 5}  # bytes more than one


def canonical(document: object) -> bytes:
    """The one spelling of a document: ASCII, and no control characters."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def count_sent(text: bytes) -> int:
    """How many bytes an API server makes of a canonical text, as a value of its own JSON."""
    return len(text) + sum(more * text.count(byte) for byte, more in _ESCAPED.items())


def fits(document: object) -> bool:
    """Whether sidecars can be given it."""
    text = canonical(document)
    return len(text) <= MAX_BYTES and count_sent(text) <= MAX_SENT_BYTES


def count_fitting(base: object, entries: list[dict[str, Any]]) -> int:
    """How many of the entries, from the first on, fit into the document beside its base."""
    text = canonical(base)
    room, sent = MAX_BYTES - len(text), MAX_SENT_BYTES - count_sent(text)
    for count, entry in enumerate(entries):
        text = canonical(entry)
        room -= len(text) + 1
        sent -= count_sent(text) + 1
        if room < 0 or sent < 0:
            return count
    return len(entries)
