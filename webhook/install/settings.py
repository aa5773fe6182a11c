"""Owns what may differ between installations, its defaults, and what is wrong with a choice.

Must not know objects, files or Helm.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.policy.fields import DNS_LABEL
from webhook.admission.quantities import parse_amount
from webhook.admission.settings import Resources
from webhook.guards.settings import (
    API_SERVER,
    DEFAULT_ADMIN_GROUPS,
    OUR_AUDIENCES,
    GuardSettings,
)
from webhook.serving.setting_values import parse_image

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


def _controller_resources() -> dict[str, dict[str, str]]:
    return {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "768Mi"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSettings:
    """One installation. Both images are named by their digest."""

    sidecar_image: str
    control_image: str
    # What webhooks that an upgrade replaces put in until they are gone: guards accept it.
    previous_sidecar_images: tuple[str, ...] = ()
    # What pods of earlier releases still have: the broker gives them credentials, too.
    earlier_sidecar_images: tuple[str, ...] = ()
    namespace: str = NAMESPACE
    # False: it is there, and somebody else's; it is left as it is.
    make_namespace: bool = True
    # Who may label namespaces and look into sidecars.
    admin_users: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = DEFAULT_ADMIN_GROUPS
    # Accounts beside our controller's that the guards trust as it: those of a home cluster's.
    controllers: tuple[str, ...] = ()
    # Of other services: tokens for these may be in containers of enforced namespaces.
    audiences: tuple[str, ...] = ()
    # Audiences that Clusters may name, beside their own mca.io/cluster/<uid>.
    member_audiences: tuple[str, ...] = ()
    # Where ClusterProfiles are read as Clusters.
    profile_namespaces: tuple[str, ...] = ()
    replicas: int = 2
    controller_replicas: int = 2
    webhook_resources: Mapping[str, Mapping[str, Any]] = field(default_factory=_webhook_resources)
    controller_resources: Mapping[str, Mapping[str, Any]] = field(
        default_factory=_controller_resources
    )
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
        *_list_audience_problems(settings),
        *_list_place_problems(settings),
        *_list_workload_problems(settings),
        *_list_port_problems(settings),
        *_list_sidecar_problems(settings),
    ]


def _list_image_problems(settings: InstallSettings) -> Iterator[str]:
    for name, images in (
        ("sidecar_image", (settings.sidecar_image,)),
        ("control_image", (settings.control_image,)),
        ("previous_sidecar_images", settings.previous_sidecar_images),
        ("earlier_sidecar_images", settings.earlier_sidecar_images),
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
            controllers=settings.controllers,
            audiences=settings.audiences,
        )
    except ValueError as error:
        yield str(error)


def _list_audience_problems(settings: InstallSettings) -> Iterator[str]:
    for field_name in ("audiences", "member_audiences"):
        for audience in getattr(settings, field_name):
            # Processes are told them as one text, by commas.
            if "," in audience or audience != audience.strip() or audience in ("", "none"):
                told = "is empty, 'none', or has a comma or outer spaces"
                yield f"{field_name}: {audience!r} {told}: correct it"
    for audience in settings.member_audiences:
        if audience.startswith((API_SERVER, OUR_AUDIENCES)):
            told = "opens this cluster or is MCA's own: name one that only members accept"
            yield f"member_audiences: {audience!r} {told}"


def _list_place_problems(settings: InstallSettings) -> Iterator[str]:
    if DNS_LABEL.fullmatch(settings.namespace) is None:
        yield f"namespace: {settings.namespace!r} is no namespace's name; write {NAMESPACE}"
    elif settings.namespace == "default" or settings.namespace.startswith(RESERVED):
        yield f"namespace: {settings.namespace} is not MCA's alone; name another, {NAMESPACE} say"
    for name in settings.profile_namespaces:
        if DNS_LABEL.fullmatch(name) is None:
            yield f"profile_namespaces: {name!r} is no namespace's name; write a-z, 0-9 and '-'"


def _list_workload_problems(settings: InstallSettings) -> Iterator[str]:
    for field_name in ("replicas", "controller_replicas"):
        count = getattr(settings, field_name)
        if not 1 <= count <= MAX_REPLICAS:
            yield f"{field_name}: {count} is not between 1 and {MAX_REPLICAS}; 2 are usual"
    for field_name, texts in (
        ("priority_class", (settings.priority_class,) if settings.priority_class else ()),
        ("pull_secrets", settings.pull_secrets),
    ):
        for text in texts:
            if _NAME.fullmatch(text) is None:
                yield f"{field_name}: {text!r} is no object's name; write a-z, 0-9, '-' and '.'"
    for field_name in ("webhook_resources", "controller_resources"):
        for kind in getattr(settings, field_name):
            if kind not in ("requests", "limits"):
                yield f"{field_name}: {kind!r} is neither requests nor limits"


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
