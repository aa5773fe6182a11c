"""Owns which slices may not go to a member without MCA's guards, from an enforced namespace.

Whoever makes pods, workloads, Secrets or service accounts where nothing guards them gets at real
tokens there. Must not know routes.
"""

from typing import Final

from sidecar.policy.overlap import ANY, meet_resources
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
    """What of a route's match only a guarded member may serve, for a message."""
    groups = text_list(match.get("groups"))
    resources = text_list(match.get("resources"))
    found = [
        f"{kind}.{group}" if kind != ANY else f"{group}/*"
        for group, kinds in _WORKLOADS.items()
        for kind in _meet(resources, groups, group, kinds)
    ]
    return (*_meet(resources, groups, "", _CORE_KINDS), *found)


def _meet(
    resources: tuple[str, ...], groups: tuple[str, ...], group: str, kinds: tuple[str, ...]
) -> tuple[str, ...]:
    if group and group in groups:
        return (ANY,)
    if group not in groups and ANY not in groups:
        return ()
    known = tuple(each for kind in kinds for each in (kind, f"{kind}/*"))
    met = (found for asked in resources for found in meet_resources(asked, known))
    return tuple(dict.fromkeys(met))
