"""Owns what is left out of a snapshot that is too large: routes, the lowest priority first.

Scope, permissions and members always stay. Must not know what a route says.
"""

import json
from typing import Any, Final

from sidecar.policy.snapshot import MAX_SNAPSHOT_BYTES

# What a ConfigMap holds is counted by its values; the margin is for a longer revision, and for us.
MAX_BYTES: Final = MAX_SNAPSHOT_BYTES - 16 * 1024


def canonical(document: object) -> bytes:
    """The one spelling of a document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def count_fitting(base: object, entries: list[dict[str, Any]]) -> int:
    """How many of the entries, from the first on, fit into the document beside its base."""
    room = MAX_BYTES - len(canonical(base))
    for count, entry in enumerate(entries):
        room -= len(canonical(entry)) + 1
        if room < 0:
            return count
    return len(entries)
