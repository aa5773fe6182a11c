"""Owns what injection is told by whoever runs it, never by a pod: above all, the image.

Must not read the environment: whoever starts the webhook or the command does.
"""

from typing import Final, Literal, NamedTuple

from webhook.resources.names import BROKER_PORT, BROKER_SERVICE, SYSTEM_NAMESPACE

# Of no base image that we know; below 65534, so that small user namespaces map it too.
SIDECAR_UID: Final = 64430
Policy = Literal["home", "controller"]
POLICIES: Final[tuple[Policy, ...]] = ("home", "controller")


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
    policy: Policy = "home"
    broker: str = find_broker(SYSTEM_NAMESPACE)
