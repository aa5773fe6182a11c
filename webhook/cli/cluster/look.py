"""Owns how a registration is waited for: until the controller has looked at it, and what it said.

Must not change anything.
"""

import time
from collections.abc import Iterator
from typing import Final

from webhook.cli.stored import say
from webhook.kube import Kube, RawDocument
from webhook.resources.clusters import ACCEPTED, ENFORCED, READY, parse_cluster
from webhook.resources.conditions import read_conditions
from webhook.resources.meta import Invalid
from webhook.resources.names import object_path

_POLL_S: Final = 0.2


def wait_for_look(kube: Kube, name: str, wait_s: float) -> RawDocument:
    """The Cluster, as soon as it was looked at; as it is when that takes too long."""
    deadline = time.monotonic() + wait_s
    while True:
        document = kube.request("GET", object_path("Cluster", name)).document
        if _is_looked_at(document) or time.monotonic() > deadline:
            return document
        time.sleep(_POLL_S)


def describe_look(document: RawDocument) -> Iterator[str]:
    """In one line, and why where something is not so."""
    conditions = read_conditions(document)
    if not conditions:
        yield "registered; no controller has looked at it yet: mca cluster list"
        return
    words = (("usable", ACCEPTED), ("answers", READY), ("guarded", ENFORCED))
    told = "; ".join(f"{word}: {say(document, kind)}" for word, kind in words)
    yield f"registered. {told}"
    for kind in (ACCEPTED, READY):
        condition = conditions.get(kind)
        if condition is not None and not condition.status:
            yield f"  {kind}: {condition.message}"


def find_audience(document: RawDocument) -> str:
    """Which tokens it is shown, whether or not the controller has told it."""
    parsed = parse_cluster(document)
    return "" if isinstance(parsed, Invalid) else parsed.audience


def _is_looked_at(document: RawDocument) -> bool:
    generation = document["metadata"].get("generation")
    found = read_conditions(document)
    accepted = found.get(ACCEPTED)
    if accepted is None or accepted.observed_generation != generation:
        return False
    return accepted.status is False or all(
        kind in found and found[kind].status is not None for kind in (READY, ENFORCED)
    )
