"""Owns the roles that others are given: readers of a snapshot, and those who write Routes.

Must not give a tenant a status to write: the controller reads none of it, but people do.
"""

from typing import Final

from webhook.install.names import OF_CONTROLLER, describe, label
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.rights import RBAC, RBAC_API
from webhook.install.settings import InstallSettings
from webhook.resources.names import GROUP, POLICY, POLICY_READER
from webhook.resources.profiles import build_roles

_AGGREGATE: Final = f"{RBAC}/aggregate-to"
_WRITE: Final = ["create", "delete", "deletecollection", "patch", "update"]


def build_tenant_roles(_settings: InstallSettings) -> list[RawDocument]:
    """Of Kubernetes' own admin, edit and view a part, and roles to be bound."""
    return [
        _role(
            POLICY_READER,
            "Bound to all service accounts of a labelled namespace there: its sidecars follow the "
            "snapshot by their own tokens. It holds no secret.",
            [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [POLICY]}],
            ["get", "list", "watch"],
        ),
        _role(
            "mca-routes-edit",
            "Whoever may edit a namespace may write Routes there; not what the controller says of "
            "them.",
            [{"apiGroups": [GROUP], "resources": ["routes"]}],
            _WRITE,
            "admin",
            "edit",
        ),
        _role(
            "mca-routes-view",
            "Whoever may look into a namespace may see its Routes.",
            [{"apiGroups": [GROUP], "resources": ["routes", "routes/status"]}],
            ["get", "list", "watch"],
            "admin",
            "edit",
            "view",
        ),
        *map(_describe_profile, build_roles()),
    ]


def _describe_profile(role: RawDocument) -> RawDocument:
    metadata = role["metadata"]
    labels = label(metadata.get("labels") or {}, OF_CONTROLLER)
    return Remarked(
        "What owners of a Tenant may do in its namespaces, where its profile is this; bound there "
        "by the controller.",
        {**role, "metadata": {**metadata, "labels": labels}},
    )


def _role(
    name: str, why: str, rules: list[RawDocument], verbs: list[str], *aggregated_to: str
) -> RawDocument:
    metadata = describe(name, component=OF_CONTROLLER)
    metadata["labels"] |= {f"{_AGGREGATE}-{role}": "true" for role in aggregated_to}
    return Remarked(
        why,
        {
            "apiVersion": RBAC_API,
            "kind": "ClusterRole",
            "metadata": metadata,
            "rules": [{**rule, "verbs": verbs} for rule in rules],
        },
    )
