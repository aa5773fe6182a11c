"""Owns what may differ between installations, its defaults, and what is wrong with a choice.

Must not know objects, files or Helm.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.policy.fields import DNS_LABEL
from webhook.admission.quantities import parse_amount
from webhook.admission.settings import Resources, parse_image
from webhook.guards.settings import DEFAULT_ADMIN_GROUPS, GuardSettings

NAMESPACE: Final = "mca-system"
# Of Kubernetes itself: Pod Security restricted would stop it there, and uninstalling the cluster.
RESERVED: Final = "kube-"
LEVELS: Final = ("debug", "info", "warning", "error")
MAX_REPLICAS: Final = 50
_MAX_PORT: Final = 65535
_NAME: Final = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?", re.ASCII)
# A name is a placeholder for the image in checks of what else the guards are told.
_ANY_IMAGE: Final = f"image@sha256:{'0' * 64}"


def _webhook_resources() -> dict[str, dict[str, str]]:
    return {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSettings:
    """One installation. Both images are named by their digest."""

    sidecar_image: str
    control_image: str
    # What webhooks that an upgrade replaces put in until they are gone: guards accept it.
    previous_sidecar_images: tuple[str, ...] = ()
    namespace: str = NAMESPACE
    # False: it is there, and somebody else's; it is left as it is.
    make_namespace: bool = True
    # Who may label namespaces and look into sidecars.
    admin_users: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = DEFAULT_ADMIN_GROUPS
    # Of other services: tokens for these may be in containers of enforced namespaces.
    audiences: tuple[str, ...] = ()
    replicas: int = 2
    webhook_resources: Mapping[str, Mapping[str, Any]] = field(default_factory=_webhook_resources)
    priority_class: str = "system-cluster-critical"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    sidecar_log_level: str = "info"
    sidecar_resources: Resources = field(default_factory=Resources)
    # Where the webhook may reach the API server, by the ports of its endpoints.
    api_server_ports: tuple[int, ...] = (443, 6443)
    cert_manager: bool = False
    service_monitor: bool = False
    dashboard: bool = False


def list_problems(settings: InstallSettings) -> list[str]:
    """Everything that is wrong, each with its field and what to write instead."""
    return [
        *_list_image_problems(settings),
        *_list_guard_problems(settings),
        *_list_webhook_problems(settings),
        *_list_port_problems(settings),
        *_list_sidecar_problems(settings),
    ]


def _list_image_problems(settings: InstallSettings) -> Iterator[str]:
    for name, images in (
        ("sidecar_image", (settings.sidecar_image,)),
        ("control_image", (settings.control_image,)),
        ("previous_sidecar_images", settings.previous_sidecar_images),
    ):
        for image in images:
            try:
                parse_image(image)
            except ValueError as error:
                yield f"{name}: {error}"


def _list_guard_problems(settings: InstallSettings) -> Iterator[str]:
    try:
        GuardSettings(
            image=_ANY_IMAGE,
            admin_users=settings.admin_users,
            admin_groups=settings.admin_groups,
            audiences=settings.audiences,
        )
    except ValueError as error:
        yield str(error)
    for audience in settings.audiences:
        # The webhook is told them as one text, by commas.
        if "," in audience or audience != audience.strip() or audience == "none":
            yield f"audiences: {audience!r} has a comma or outer spaces, or is 'none': correct it"


def _list_webhook_problems(settings: InstallSettings) -> Iterator[str]:
    if DNS_LABEL.fullmatch(settings.namespace) is None:
        yield f"namespace: {settings.namespace!r} is no namespace's name; write {NAMESPACE}"
    elif settings.namespace == "default" or settings.namespace.startswith(RESERVED):
        yield f"namespace: {settings.namespace} is not MCA's alone; name another, {NAMESPACE} say"
    if not 1 <= settings.replicas <= MAX_REPLICAS:
        yield f"replicas: {settings.replicas} is not between 1 and {MAX_REPLICAS}; 2 are usual"
    for name, texts in (
        ("priority_class", (settings.priority_class,) if settings.priority_class else ()),
        ("pull_secrets", settings.pull_secrets),
    ):
        for text in texts:
            if _NAME.fullmatch(text) is None:
                yield f"{name}: {text!r} is no object's name; write a-z, 0-9, '-' and '.'"
    for kind in settings.webhook_resources:
        if kind not in ("requests", "limits"):
            yield f"webhook_resources: {kind!r} is neither requests nor limits"


def _list_port_problems(settings: InstallSettings) -> Iterator[str]:
    if not settings.api_server_ports:
        yield "api_server_ports: none is named; write that of the API server's endpoints, 6443"
    for port in settings.api_server_ports:
        if not 1 <= port <= _MAX_PORT:
            yield f"api_server_ports: {port} is not between 1 and {_MAX_PORT}; 6443 is usual"


def _list_sidecar_problems(settings: InstallSettings) -> Iterator[str]:
    if settings.sidecar_log_level not in LEVELS:
        yield f"sidecar_log_level: {settings.sidecar_log_level!r} is none of {', '.join(LEVELS)}"
    for name, text in settings.sidecar_resources._asdict().items():
        if text and not parse_amount(text):
            yield f"sidecar_resources.{name}: {text!r} is not a quantity; write 20m, 48Mi or ''"
