"""Owns how replicas tell each other what sidecars reported, and how that is counted.

Pure. A pod may have reported to either replica, so pods are told apart, by a few characters made of
their uid. Must not trust what it reads: what is none of this form counts for nothing.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from webhook.controller.broker.map_names import find_shard
from webhook.controller.broker.reports import MARK_CHARACTERS, Known
from webhook.resources.meta import mapping

_VERSION: Final = 1
_MOST_KINDS: Final = 16
_IDS: Final = re.compile(r"[A-Za-z0-9+/]*", re.ASCII)

# namespace -> pod -> all that it reported to any replica: revision and version
Merged = dict[str, dict[str, tuple[tuple[str, str], ...]]]


class Count(NamedTuple):
    """Of a namespace, or of a Tenant's."""

    total: int = 0
    old: int = 0


def group_reports(known: Iterable[tuple[str, Known]]) -> dict[str, str]:
    """What one replica has heard, by shard. More kinds than releases have do not count."""
    shards: dict[str, dict[str, dict[str, list[str]]]] = {}
    for namespace, entry in known:
        kinds = shards.setdefault(find_shard(namespace), {}).setdefault(namespace, {})
        kind = f"{entry.report.revision} {entry.report.version}"
        if kind in kinds or len(kinds) < _MOST_KINDS:
            kinds.setdefault(kind, []).append(entry.mark)
    return {shard: _render_shard(namespaces) for shard, namespaces in shards.items()}


def frame_report(namespaces: str, now: float) -> str:
    """One shard of it, with its time."""
    return f'{{"namespaces":{namespaces},"time":{int(now)},"version":{_VERSION}}}'


def read_time(text: str) -> float:
    """When it was written; 0: it cannot be read."""
    told = _load(text).get("time")
    return float(told) if isinstance(told, int) else 0.0


def merge_reports(texts: Iterable[str]) -> Merged:
    """What all replicas have heard."""
    merged: Merged = {}
    for text in texts:
        for namespace, kinds in mapping(_load(text).get("namespaces")).items():
            pods = merged.setdefault(namespace, {})
            for kind, ids in mapping(kinds).items():
                revision, _, version = kind.partition(" ")
                told = ((revision, version),)
                for pod in _split(ids):
                    before = pods.get(pod)
                    pods[pod] = told if before is None or before == told else before + told
    return merged


def count_namespaces(
    merged: Merged, find_current: Callable[[str], Collection[str]]
) -> dict[str, Count]:
    """By namespace; those without a snapshot are left out.

    Who told two replicas different things counts as current if one of them is: it went on to that.
    """
    counts = {}
    for namespace, pods in merged.items():
        current = find_current(namespace)
        if current:
            old = sum(
                not any(revision in current for revision, _ in kinds) for kinds in pods.values()
            )
            counts[namespace] = Count(len(pods), old)
    return counts


def group_by_tenant(
    namespaces: Mapping[str, Count], find_tenant: Callable[[str], str]
) -> dict[str, dict[str, Count]]:
    """By the Tenant that holds the namespace; "" is nobody."""
    held: dict[str, dict[str, Count]] = {}
    for namespace, count in namespaces.items():
        tenant = find_tenant(namespace)
        if tenant:
            held.setdefault(tenant, {})[namespace] = count
    return held


def add_up(counts: Mapping[str, Count]) -> Count:
    """Of several namespaces."""
    return Count(
        sum(count.total for count in counts.values()), sum(count.old for count in counts.values())
    )


def _render_shard(namespaces: Mapping[str, Mapping[str, list[str]]]) -> str:
    told = {
        namespace: {kind: "".join(ids) for kind, ids in kinds.items()}
        for namespace, kinds in namespaces.items()
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True)


def _load(text: str) -> dict[str, Any]:
    try:
        document = mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}
    return document if document.get("version") == _VERSION else {}


def _split(ids: object) -> list[str]:
    if not isinstance(ids, str) or len(ids) % MARK_CHARACTERS or _IDS.fullmatch(ids) is None:
        return []
    return [ids[at : at + MARK_CHARACTERS] for at in range(0, len(ids), MARK_CHARACTERS)]
