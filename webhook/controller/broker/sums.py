"""Owns what is told of counts: a Tenant's condition, and the sums of all.

Pure. Must not tell more than somebody reads: of many namespaces those where most lag.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from webhook.controller.broker.counts import Count, add_up
from webhook.resources.conditions import Condition
from webhook.resources.meta import mapping

CONDITION: Final = "SidecarsCurrent"
_SHOWN: Final = 3
_LISTED: Final = 1000


def summarize(namespaces: Mapping[str, Count], tenants: Mapping[str, Count]) -> dict[str, Any]:
    """What is told of all: sums, and the namespaces with most that lag."""
    lagging = sorted(
        (name for name, count in namespaces.items() if count.old),
        key=lambda name: (-namespaces[name].old, name),
    )
    return {
        "version": 1,
        **add_up(namespaces)._asdict(),
        "tenants": {name: count._asdict() for name, count in tenants.items()},
        "namespaces": {name: namespaces[name]._asdict() for name in lagging[:_LISTED]},
    }


def says(text: str, told: Mapping[str, object]) -> bool:
    """Whether this is what stands there, whenever it was written."""
    try:
        found = mapping(json.loads(text))
    except (ValueError, RecursionError):
        return False
    return {key: value for key, value in found.items() if key != "time"} == told


def describe_sidecars(counts: Mapping[str, Count], generation: int) -> Condition:
    """The condition of a Tenant, by its namespaces."""
    count = add_up(counts)
    if not count.total:
        return Condition(CONDITION, True, "NoSidecars", "no sidecar has reported", generation)
    if not count.old:
        message = f"all {count.total} run the snapshot of their namespace"
        return Condition(CONDITION, True, "Current", message, generation)
    worst = sorted(
        (name for name in counts if counts[name].old), key=lambda name: (-counts[name].old, name)
    )
    shown = ", ".join(f"{name} ({counts[name].old})" for name in worst[:_SHOWN])
    more = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
    message = (
        f"{count.old} of {count.total} run an older snapshot, in {shown}{more}: their logs say why"
    )
    return Condition(CONDITION, False, "SomeOld", message, generation)
