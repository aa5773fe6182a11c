"""Owns how objects are summed up for `mca status`: a sentence for a kind, and what is not in order.

Must not fetch.
"""

import json
import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Sequence
from time import strptime
from typing import Any, Final, NamedTuple

from webhook.cli.stored import read_today
from webhook.controller.broker.map_names import STATUS_KEY
from webhook.kube import RawDocument
from webhook.resources.clusters import ACCEPTED, ENFORCED, READY
from webhook.resources.conditions import Condition
from webhook.resources.meta import mapping

_LATE: Final = 2  # lives of the Lease
_SHOWN: Final = 20
_LOOK: Final = "kubectl get pods -n mca-system -l app.kubernetes.io/component=controller"
_LOST: Final = f"its Lease has run out, and nobody took it: {_LOOK}"
_SECONDS: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z")


class Part(NamedTuple):
    """What is told of one kind; without findings it is in order."""

    name: str
    told: str
    findings: tuple[str, ...] = ()

    def document(self) -> RawDocument:
        """For a program."""
        return {"name": self.name, "told": self.told, "findings": list(self.findings)}


def sum_up_controller(lease: RawDocument | None, now: float) -> Part:
    """Who leads, by the Lease."""
    spec = mapping((lease or {}).get("spec"))
    holder = spec.get("holderIdentity")
    if not holder:
        return Part("controller", "none leads", (f"nobody leads: {_LOOK}",))
    since = now - _read_time(spec.get("renewTime"))
    told = f"{holder} leads, renewed {max(0, round(since))} s ago"
    if since > _LATE * int(spec.get("leaseDurationSeconds") or 0):
        return Part("controller", told, (_LOST,))
    return Part("controller", told)


def sum_up_clusters(documents: Sequence[RawDocument]) -> Part:
    """Without guards is no fault by itself: Routes that need them say so."""
    counts = {kind: _count(documents, kind) for kind in (ACCEPTED, READY, ENFORCED)}
    told = (
        f"{len(documents)}: {counts[ACCEPTED]} usable, {counts[READY]} answer, "
        f"{counts[ENFORCED]} guarded"
    )
    return Part("clusters", told, _clip(_list_lacks(documents, (ACCEPTED, READY))))


def sum_up_tenants(documents: Sequence[RawDocument]) -> Part:
    """Of each that is not ready, what is not."""
    findings: list[str] = []
    for document in documents:
        conditions = read_today(document)
        bad = [each for each in conditions.values() if each.status is False and each.type != READY]
        name = document["metadata"]["name"]
        if READY not in conditions and not bad:
            findings.append(f"{name}: no controller has looked at it yet")
        findings += [_describe(name, each) for each in bad]
        ready = conditions.get(READY)
        if ready is not None and not ready.status and not bad:
            findings.append(_describe(name, ready))
    told = f"{len(documents)}: {_count(documents, READY)} ready"
    return Part("tenants", told, _clip(findings))


def sum_up_routes(documents: Sequence[RawDocument]) -> Part:
    """Those that do not count."""
    told = f"{len(documents)}: {_count(documents, ACCEPTED)} count"
    return Part("routes", told, _clip(_list_lacks(documents, (ACCEPTED,))))


def sum_up_sidecars(counted: RawDocument | None) -> Part:
    """By what they report."""
    try:
        content = json.loads(str(mapping((counted or {}).get("data")).get(STATUS_KEY)))
        namespaces = content["namespaces"]
        total, lagging = int(content["total"]), int(content["old"])
        old = {name: int(each["old"]) for name, each in namespaces.items() if each["old"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return Part("sidecars", "none has reported yet")
    told = f"{total} report, {lagging} of them run an old policy"
    return Part(
        "sidecars", told, _clip(f"{name}: {count} on an old one" for name, count in old.items())
    )


def _count(documents: Iterable[RawDocument], kind: str) -> int:
    found = (read_today(each).get(kind) for each in documents)
    return sum(each is not None and each.status is True for each in found)


def _list_lacks(documents: Iterable[RawDocument], kinds: Sequence[str]) -> Iterator[str]:
    """The first condition that does not hold, of each."""
    for document in documents:
        metadata, conditions = document["metadata"], read_today(document)
        namespace = metadata.get("namespace")
        name = f"{namespace}/{metadata['name']}" if namespace else metadata["name"]
        for kind in kinds:
            condition = conditions.get(kind)
            if condition is None:
                yield f"{name}: no controller has looked at it yet"
                break
            if condition.status is not True:
                yield _describe(name, condition)
                break


def _describe(name: str, condition: Condition) -> str:
    message = f": {condition.message}" if condition.message else ""
    return f"{name}: {condition.type} {condition.reason}{message}"


def _clip(findings: Iterable[str]) -> tuple[str, ...]:
    found = tuple(findings)
    if len(found) <= _SHOWN:
        return found
    return (*found[:_SHOWN], f"and {len(found) - _SHOWN} more")


def _read_time(value: Any) -> float:
    found = _SECONDS.fullmatch(str(value))
    return float(timegm(strptime(found[1], "%Y-%m-%dT%H:%M:%S"))) if found else 0.0
