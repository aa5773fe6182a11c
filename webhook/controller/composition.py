"""Owns which parts the controller has.

Must not know what they do.
"""

from dataclasses import replace
from functools import partial

from webhook.controller.broker import part as broker
from webhook.controller.engine.part import Part
from webhook.controller.engine.world import World
from webhook.controller.members import part as members
from webhook.controller.policies import part as policies
from webhook.controller.tenants import part as tenants
from webhook.kube import RawDocument
from webhook.resources.clusters import ACCEPTED
from webhook.resources.conditions import read_conditions
from webhook.resources.meta import Meta

_JUDGES = ("members",)
_BUILDERS = (
    policies.build_parts,
    tenants.build_parts,
    members.build_parts,
    broker.build_parts,
)


def build_parts(world: World) -> list[Part]:
    """All parts; each may follow further stores."""
    parts = [part for build in _BUILDERS for part in build(world)]
    # A Cluster that is judged is compiled into the snapshots of all that may use it: better once.
    judged = partial(are_judged, world)
    return [replace(part, found=judged) if part.name in _JUDGES else part for part in parts]


def are_judged(world: World) -> bool:
    """Whether each Cluster, as it is now, was judged; of none there is nothing to wait for."""
    return all(_is_judged(kept.value.meta, kept.document) for _, kept in world.clusters.items())


def _is_judged(meta: Meta, document: RawDocument) -> bool:
    accepted = read_conditions(document).get(ACCEPTED)
    return (
        accepted is not None
        and accepted.status is not None
        and accepted.observed_generation == meta.generation
    )
