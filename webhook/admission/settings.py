"""Owns what injection is told by whoever runs it, never by a pod: above all, the image.

Must not read the environment: whoever starts the webhook or the command does.
"""

import re
from typing import Final, Literal, NamedTuple

from webhook.resources.names import BROKER_PORT, BROKER_SERVICE, SYSTEM_NAMESPACE

# Of no base image that we know; below 65534, so that small user namespaces map it too.
SIDECAR_UID: Final = 64430
_IMAGE: Final = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}", re.ASCII)


class Resources(NamedTuple):
    """Quantities; an empty one is not set."""

    cpu_request: str = "10m"
    memory_request: str = "32Mi"
    cpu_limit: str = ""
    memory_limit: str = "64Mi"


def find_broker(namespace: str) -> str:
    """Where sidecars find the broker of an installation in this namespace."""
    return f"https://{BROKER_SERVICE}.{namespace}.svc:{BROKER_PORT}"


class InjectionSettings(NamedTuple):
    """What every sidecar has in common.

    `policy`: what it lives by, snapshots of the controller's, or its own cluster alone.
    """

    image: str
    uid: int = SIDECAR_UID
    log_level: str = "info"
    resources: Resources = Resources()
    # Projected tokens for these may stay in application containers of enforced namespaces.
    audiences: frozenset[str] = frozenset()
    policy: Literal["home", "controller"] = "home"
    broker: str = find_broker(SYSTEM_NAMESPACE)


def parse_image(text: str) -> str:
    """The image, which is named by its digest: a tag could be moved under running namespaces."""
    if _IMAGE.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} is not an image with its digest; write registry/name@sha256:<64 hex digits>"
        )
    return text
