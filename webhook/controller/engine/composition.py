"""Owns which parts the controller has.

Must not know what they do.
"""

from webhook.controller.engine.part import Part
from webhook.controller.engine.world import World
from webhook.controller.policies import part as policies

_BUILDERS = (policies.build_parts,)


def build_parts(world: World) -> list[Part]:
    """All parts; each may follow further stores."""
    return [part for build in _BUILDERS for part in build(world)]
