"""Owns the broker's share in the work of the leader: counting sidecars.

Must not answer anybody: every replica's pages do.
"""

from typing import Final

from webhook.controller.broker.counting import Counting
from webhook.controller.engine.part import Part
from webhook.controller.engine.world import World

_ALL: Final = "all"


def build_parts(world: World) -> list[Part]:
    """One part with one key."""
    return [Part("sidecars", Counting(world).reconcile, seeds=(_ALL,))]
