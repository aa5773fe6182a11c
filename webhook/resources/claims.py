"""Owns whose a namespace is: a Tenant's, nobody's, or denied to everybody.

The first claim sticks: the Tenant's uid is written onto the namespace, and neither another Tenant
nor a later one of the same name takes it over. What is not clear is denied, never nobody's: without
a tenant a namespace would have the whole of home. Must not write: the controller does.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from webhook.resources.choices import choice_matches
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import (
    LABEL_BOUNDARY,
    LABEL_INJECTION,
    LABEL_TENANT,
    SYSTEM_NAMESPACE,
    TENANT_UID,
)
from webhook.resources.tenants import Tenant

_SYSTEM_PREFIX: Final = "kube-"
_DEFAULT: Final = "default"


class Claim(NamedTuple):
    """Whose a namespace is.

    `denied` says why it is closed. `to_claim`: the Tenant's uid is not on it yet. Without a tenant
    and without a reason it is nobody's.
    """

    tenant: Tenant | None = None
    denied: str = ""
    to_claim: bool = False


_NOBODY: Final = Claim()


def judge_claim(
    namespace: Meta,
    tenants: Mapping[str, Tenant | Invalid],
    system_namespace: str = SYSTEM_NAMESPACE,
) -> Claim:
    """Whose the namespace is; `tenants` by their names."""
    name = namespace.labels.get(LABEL_TENANT)
    uid = namespace.annotations.get(TENANT_UID)
    if name is None and uid is None:
        return _NOBODY
    denied = _judge_namespace(namespace, name, system_namespace)
    if denied:
        return Claim(denied=denied)
    tenant = tenants.get(name or "")
    if tenant is None:
        return Claim(denied=f"there is no Tenant {name!r}: create it, or remove the label")
    denied = _judge_tenant(tenant, namespace, uid)
    if denied or isinstance(tenant, Invalid):
        return Claim(denied=denied)
    return Claim(tenant, to_claim=uid is None)


def selects(tenant: Tenant, namespace: Meta) -> bool:
    """Whether the Tenant names the namespace, or its selector matches the labels."""
    return choice_matches(tenant.namespaces, namespace)


def is_system(name: str, system_namespace: str = SYSTEM_NAMESPACE) -> bool:
    """Whether a namespace is Kubernetes' or MCA's own, which no Tenant ever holds."""
    return name.startswith(_SYSTEM_PREFIX) or name in (_DEFAULT, system_namespace)


def needs_policy(namespace: Meta, system_namespace: str = SYSTEM_NAMESPACE) -> bool:
    """Whether a snapshot is kept in the namespace."""
    labels = namespace.labels
    return namespace.name != system_namespace and (
        labels.get(LABEL_INJECTION) == "enabled"
        or labels.get(LABEL_BOUNDARY) == "enforced"
        or LABEL_TENANT in labels
        or TENANT_UID in namespace.annotations
    )


def _judge_namespace(namespace: Meta, name: str | None, system_namespace: str) -> str:
    """Why it is nobody's to claim."""
    if is_system(namespace.name, system_namespace):
        return f"{namespace.name!r} is a system namespace, which no Tenant holds: remove the label"
    if name is None:
        return (
            f"it was claimed by a Tenant (annotation {TENANT_UID}) and has lost the label "
            f"{LABEL_TENANT}: set the label again, or remove the annotation"
        )
    return ""


def _judge_tenant(tenant: Tenant | Invalid, namespace: Meta, uid: str | None) -> str:
    """Why the Tenant that it names does not hold it."""
    name = tenant.name
    if uid is not None and uid != tenant.meta.uid:
        return (
            f"it was claimed by another Tenant than today's {name!r}: "
            f"remove the annotation {TENANT_UID} to give it to that one"
        )
    if tenant.meta.deleting:
        return f"the Tenant {name!r} is being deleted"
    if isinstance(tenant, Invalid):
        return f"the Tenant {name!r} cannot be taken: {tenant.problems[0]}"
    if not selects(tenant, namespace):
        return (
            f"the Tenant {name!r} does not select it: add it to spec.namespaces, "
            "or remove the label and the annotation"
        )
    return ""
