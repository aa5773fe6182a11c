"""Owns which slices may not go to a member without MCA's guards, from an enforced namespace.

Whoever makes pods, workloads, Secrets or service accounts where nothing guards them gets at real
tokens there. Must not know routes.
"""

from typing import Final

from sidecar.policy.overlap import ANY
from webhook.resources.meta import RawDocument, text_list

# "bindings" make pods run, too.
_CORE_KINDS: Final = (
    "pods",
    "replicationcontrollers",
    "podtemplates",
    "secrets",
    "serviceaccounts",
    "bindings",
)
# For a match of every group: another kind of the same name is in none of ours.
_WORKLOADS: Final = {
    "apps": ("deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions"),
    "batch": ("jobs", "cronjobs"),
}


def guarded_kinds(match: RawDocument) -> tuple[str, ...]:
    """What of a route's match only a guarded member may serve, for a message.

    In one look at each resource: whoever may write Routes says how many there are.
    """
    groups = frozenset(text_list(match.get("groups")))
    resources = text_list(match.get("resources"))
    found = [*_meet(resources, _CORE_KINDS)] if groups & {"", ANY} else []
    for group, kinds in _WORKLOADS.items():
        if group in groups:
            found.append(f"{group}/*")
        elif ANY in groups:
            found += [f"{kind}.{group}" for kind in _meet(resources, kinds)]
    return tuple(found)


def _meet(resources: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the kinds, and of their subresources, that are among the resources."""
    met: dict[str, None] = {}
    for asked in resources:
        kind, slash, subresource = asked.partition("/")
        if kind in kinds:
            met[asked] = None
        elif kind == ANY:
            met |= dict.fromkeys(f"{each}{slash}{subresource}" for each in kinds)
    return tuple(met)
