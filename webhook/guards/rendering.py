"""Owns the list of all guards, and how they become YAML. Must not read or write a file."""

import shlex
from typing import Any

import yaml

from webhook.guards.containers import (
    guard_ephemeral_containers,
    guard_exec,
    guard_pod_updates,
)
from webhook.guards.final_pods import guard_final_pods
from webhook.guards.home_api import guard_home_api
from webhook.guards.namespace_labels import guard_namespace_labels
from webhook.guards.own_objects import guard_own_objects
from webhook.guards.policy import Guard
from webhook.guards.registration import guard_registration
from webhook.guards.settings import GuardSettings
from webhook.guards.tenant_access import guard_tenant_access
from webhook.guards.tenant_network import guard_tenant_network
from webhook.guards.tokens import (
    guard_certificate_requests,
    guard_token_requests,
    guard_token_secrets,
)

_MAKERS = (
    guard_namespace_labels,
    guard_own_objects,
    guard_tenant_access,
    guard_tenant_network,
    guard_home_api,
    guard_registration,
    guard_token_secrets,
    guard_token_requests,
    guard_certificate_requests,
    guard_exec,
    guard_pod_updates,
    guard_ephemeral_containers,
    guard_final_pods,
)


def make_guards(settings: GuardSettings) -> list[Guard]:
    """Every guard, in the order in which they are installed."""
    return [make(settings) for make in _MAKERS]


def render_manifests(settings: GuardSettings) -> list[dict[str, Any]]:
    """Policies and bindings, for the API."""
    return [manifest for guard in make_guards(settings) for manifest in guard.manifests()]


def render_yaml(settings: GuardSettings) -> str:
    """The same as YAML for `kubectl apply -f`."""
    body = yaml.safe_dump_all(
        render_manifests(settings), sort_keys=False, width=100, allow_unicode=True
    )
    return f"# Made by: python -m webhook.guards {' '.join(_list_arguments(settings))}\n{body}"


def _list_arguments(settings: GuardSettings) -> list[str]:
    """What makes the same file again, but for what is so by default."""
    plain = GuardSettings(image=settings.image)
    many = {
        "--previous-image": (settings.previous_images, plain.previous_images),
        "--admin-user": (settings.admin_users, plain.admin_users),
        "--admin-group": (settings.admin_groups, plain.admin_groups),
        "--controller": (settings.controllers, plain.controllers),
        "--audience": (settings.audiences, plain.audiences),
    }
    arguments = ["--image", settings.image]
    if settings.uid != plain.uid:
        arguments += ["--uid", str(settings.uid)]
    if settings.system_namespace != plain.system_namespace:
        arguments += ["--system-namespace", shlex.quote(settings.system_namespace)]
    if settings.policy != plain.policy:
        arguments += ["--policy", settings.policy]
    for option, (texts, default) in many.items():
        if texts != default:
            arguments += [part for text in texts for part in (option, shlex.quote(text))]
    return arguments
