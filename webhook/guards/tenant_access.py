"""Owns the guard on who is given rights in a Tenant's namespace: people by the Tenant alone.

An owner whose role writes RoleBindings could otherwise make one that stays when access is
withdrawn. Must not judge the rights themselves: RBAC lets nobody grant more than they have.
"""

from webhook.guards.policy import Guard, Rule, Validation, is_admin, is_controller
from webhook.guards.settings import GuardSettings, write_string
from webhook.resources.names import LABEL_TENANT, TENANT_UID
from webhook.resources.profiles import PREFIX


def guard_tenant_access(settings: GuardSettings) -> Guard:
    """Service accounts of the namespace are its own affair: what it runs goes by them.

    People are all others. Only who is added counts, so that a RoleBinding from before can be
    labelled, cut down, deleted.
    """
    return Guard(
        name="mca-tenant-access",
        everywhere=True,
        rules=(Rule(("CREATE", "UPDATE"), ("rolebindings",), "rbac.authorization.k8s.io"),),
        conditions={"not-by-mca": f"!({is_controller(settings)})"},
        variables={
            "isTenants": (
                f"{write_string(LABEL_TENANT)} in namespaceObject.metadata.?labels.orValue({{}}) "
                f"|| {write_string(TENANT_UID)} in "
                "namespaceObject.metadata.?annotations.orValue({})"
            ),
            "known": "oldObject == null ? [] : oldObject.?subjects.orValue([])",
            "people": """
                object.?subjects.orValue([]).filter(s, !variables.known.exists(o, o == s) &&
                  !(s.kind == 'ServiceAccount' && s.?namespace.orValue('') == request.namespace))
                """,
        },
        validations=(
            # Also of admins: the controller takes such a RoleBinding away.
            Validation(
                "!variables.isTenants || variables.people.size() == 0 || "
                f"!object.roleRef.name.startsWith({write_string(PREFIX)})",
                f"in a Tenant's namespace roles {PREFIX}... are given to people by the Tenant "
                "alone: let an admin name them in its spec.owners",
            ),
            Validation(
                f"!variables.isTenants || {is_admin(settings)} || variables.people.size() == 0",
                "in a Tenant's namespace RoleBindings are for its own service accounts: who else "
                "has access, its admins say (spec.owners of the Tenant)",
                found="variables.people.map(s, s.kind + ' ' + s.name).join(', ')",
            ),
        ),
    )
