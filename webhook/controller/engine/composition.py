"""Owns which parts the controller has.

Must not know what they do.
"""

from dataclasses import replace

from webhook.controller.broker import part as broker
from webhook.controller.engine.part import Part
from webhook.controller.engine.world import World
from webhook.controller.members import part as members
from webhook.controller.policies import part as policies
from webhook.controller.tenants import part as tenants

_FIRST = ("members",)
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
    return [replace(part, first=part.name in _FIRST) for part in parts]
