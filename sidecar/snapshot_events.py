"""Owns reading the watch of the snapshot's ConfigMap: what one event says. Pure.

Must not judge the snapshot in it, nor decide what is done about an event.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.snapshot import VERSION
from sidecar.policy.verdict import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY: Final = f"snapshot.v{VERSION}.json"


class Found(NamedTuple):
    """The object is there, with this snapshot in it."""

    content: bytes


class Empty(NamedTuple):
    """The object is there, and holds none; why."""

    problem: str


class Gone(NamedTuple):
    """The object was deleted."""

    deleted: bool = True


class Broken(NamedTuple):
    """The watch cannot go on; why."""

    problem: str


Event = Found | Empty | Gone | Broken | None


def read_event(line: bytes, namespace: str, name: str) -> Event:
    """What a line of the watch says; None: nothing of interest."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return Broken("an event is not JSON")
    kind = _get(event, "type")
    found = _get(event, "object")
    if kind == "BOOKMARK":
        return None
    if kind == "ERROR":
        return Broken(f"the API server ended it: {shown(str(_get(found, 'message')))}")
    metadata = _get(found, "metadata")
    if (_get(metadata, "namespace"), _get(metadata, "name")) != (namespace, name):
        return Broken("an event is of another object than was asked for")
    if kind == "DELETED":
        return Gone()
    if kind not in ("ADDED", "MODIFIED"):
        return Broken("an event is of no known type")
    content = _get(_get(found, "data"), KEY)
    if not isinstance(content, str):
        return Empty(f"it holds no {KEY}, which is what this sidecar reads")
    return Found(content.encode("utf-8", "replace"))


def _get(value: object, key: str) -> object:
    fields: Mapping[str, object] = value if isinstance(value, dict) else {}
    return fields.get(key)
