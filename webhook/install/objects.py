"""Owns the list of all objects of an installation, in the order in which they are applied.

Must not talk to a cluster.
"""

from typing import Any, Final

from webhook.admission.registration import build_registration
from webhook.guards.rendering import render_manifests
from webhook.guards.settings import GuardSettings
from webhook.install.certificates import build_certificates
from webhook.install.controller import build_controller
from webhook.install.controller_rights import build_controller_account, build_controller_rights
from webhook.install.definitions import build_kept_definitions
from webhook.install.deployment import build_deployment
from webhook.install.monitoring import build_monitoring
from webhook.install.names import SIDECAR_POLICY, WEBHOOK, describe, label
from webhook.install.network import (
    SERVICE_PORT,
    build_flow_schemas,
    build_network_policies,
    build_services,
)
from webhook.install.remarks import RawDocument, Remarked, strip_remarks
from webhook.install.rights import build_account, build_rights
from webhook.install.settings import InstallSettings, list_problems
from webhook.install.tenant_roles import build_tenant_roles
from webhook.resources.names import CONTROLLER

_BUILDERS: Final = (
    build_account,
    build_controller_account,
    build_rights,
    build_controller_rights,
    build_tenant_roles,
    build_certificates,
    build_flow_schemas,
    build_network_policies,
    build_services,
    build_deployment,
    build_controller,
    build_monitoring,
)


def build_objects(settings: InstallSettings) -> list[dict[str, Any]]:
    """Plain mappings; a ValueError tells everything that is wrong with the settings."""
    problems = list_problems(settings)
    if problems:
        raise ValueError("; ".join(problems))
    objects: list[dict[str, Any]] = strip_remarks(assemble(settings))
    return objects


def assemble(settings: InstallSettings) -> list[RawDocument]:
    """The same with remarks, of settings that nobody has checked."""
    namespace = [_build_namespace(settings)] if settings.make_namespace else []
    objects = [*namespace, *build_kept_definitions(), *_build_guards(settings)]
    for build in _BUILDERS:
        objects += build(settings)
    # Last: from then on pods of labelled namespaces wait for the webhook.
    return [*objects, _build_registration(settings)]


def _build_namespace(settings: InstallSettings) -> RawDocument:
    metadata = describe(settings.namespace)
    metadata["labels"] |= {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    return Remarked(
        "Injection spares this namespace by its name: the webhook never waits for itself.",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
    )


def _build_guards(settings: InstallSettings) -> list[RawDocument]:
    """Before all else that could be labelled: they need no process of ours."""
    guards = render_manifests(
        GuardSettings(
            image=settings.sidecar_image,
            previous_images=settings.previous_sidecar_images,
            admin_users=settings.admin_users,
            admin_groups=settings.admin_groups,
            controllers=(
                f"system:serviceaccount:{settings.namespace}:{CONTROLLER}",
                *settings.controllers,
            ),
            system_namespace=settings.namespace,
            audiences=settings.audiences,
            policy=SIDECAR_POLICY,
        )
    )
    for guard in guards:
        guard["metadata"] = _relabel(guard["metadata"], "guards")
    return guards


def _build_registration(settings: InstallSettings) -> RawDocument:
    service = {"name": WEBHOOK, "namespace": settings.namespace, "port": SERVICE_PORT}
    registration = build_registration({"service": service}, "", (settings.namespace,))
    registration["metadata"] = _relabel(registration["metadata"], "webhook")
    if settings.cert_manager:
        registration["metadata"]["annotations"] = {
            "cert-manager.io/inject-ca-from": f"{settings.namespace}/{WEBHOOK}"
        }
    for webhook in registration["webhooks"]:
        # Whoever makes the certificates fills it in; what is not named is not reset by applying.
        webhook["clientConfig"].pop("caBundle", None)
    return Remarked(
        "Labels of a namespace choose the path. failurePolicy Fail: a pod that should have a "
        "sidecar never starts without one. clientConfig.caBundle is filled in by the webhook "
        "itself, or by cert-manager.",
        registration,
    )


def _relabel(metadata: RawDocument, component: str) -> RawDocument:
    return metadata | {"labels": label(metadata.get("labels", {}), component)}
