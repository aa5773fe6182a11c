"""Owns the guard on objects named `mca-*`: what sidecars read, and what bounds a tenant, is the
controller's (attack 65).

Must not guard namespaces that have nothing to do with MCA: the name is free there.
"""

from webhook.guards.policy import Guard, Rule, Validation, is_controller
from webhook.guards.settings import GuardSettings, write_string

_WRITES = ("CREATE", "UPDATE", "DELETE")


def guard_own_objects(settings: GuardSettings) -> Guard:
    """Of the object, not of the request: a deletecollection and a generated name name none.

    Deletion passes in a namespace that ends, or it would never end.
    """
    return Guard(
        name="mca-own-objects",
        everywhere=True,
        rules=(
            Rule(_WRITES, ("configmaps", "secrets", "resourcequotas", "limitranges")),
            Rule(_WRITES, ("roles", "rolebindings"), "rbac.authorization.k8s.io"),
            Rule(_WRITES, ("networkpolicies",), "networking.k8s.io"),
        ),
        conditions={
            "named-mca": (
                "(object == null ? oldObject : object).metadata.name.startsWith('mca-') && "
                f"!({is_controller(settings)})"
            ),
            # Somebody may label all namespaces: MCA's own still writes what it lives on.
            "not-at-home": f"request.namespace != {write_string(settings.system_namespace)}",
        },
        validations=(
            Validation(
                """
                !namespaceObject.metadata.?labels.orValue({}).exists(key, key.startsWith('mca.io/'))
                || (request.operation == 'DELETE'
                    && has(namespaceObject.metadata.deletionTimestamp))
                """,
                "names that begin with mca- belong to MCA in this namespace: choose another name; "
                "what MCA keeps here follows from its Tenants and Routes",
            ),
        ),
    )
