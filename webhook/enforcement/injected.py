"""Owns whether a pod may be trusted with what only its sidecar is to have: nothing is amiss in it.

For who hands that out. Must not fetch, nor be kinder than the report on the namespace.
"""

from typing import NamedTuple

from webhook.admission.outcome import RawObject
from webhook.admission.settings import InjectionSettings
from webhook.enforcement.stored_pod import has_sidecar, list_gaps


class Trust(NamedTuple):
    """The images that sidecars may have, the broker that they ask.

    Tokens for `audiences` may be in application containers.
    """

    images: frozenset[str]
    audiences: frozenset[str] = frozenset()
    broker: str = ""


def list_doubts(pod: RawObject, trust: Trust) -> tuple[str, ...]:
    """What speaks against it."""
    if not has_sidecar(pod):
        return ("it has no sidecar",)
    # As if its own image were put in now: what a newer one must have, an older one must, too.
    image = str(pod["spec"]["initContainers"][0].get("image"))
    settings = InjectionSettings(
        image=image, audiences=trust.audiences, policy="controller", broker=trust.broker
    )
    return tuple(list_gaps(pod, settings, trust.images))
