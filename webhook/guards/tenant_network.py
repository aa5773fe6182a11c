"""Owns the guard on an isolated namespace's NetworkPolicies: they add up, so one more lets through.

Must not judge what a policy says: where the controller denies all, any other can only open.
"""

from webhook.guards.policy import Guard, Rule, Validation, is_controller
from webhook.guards.settings import GuardSettings, write_string
from webhook.resources.names import ISOLATED, LABEL_NETWORK


def guard_tenant_network(settings: GuardSettings) -> Guard:
    """By the label that the controller keeps. One from before can be labelled and deleted.

    Admins state it in the Tenant: what stands beside would be told as a fault.
    """
    return Guard(
        name="mca-tenant-network",
        everywhere=True,
        rules=(Rule(("CREATE", "UPDATE"), ("networkpolicies",), "networking.k8s.io"),),
        conditions={"not-by-mca": f"!({is_controller(settings)})"},
        validations=(
            Validation(
                f"""
                namespaceObject.metadata.?labels.orValue({{}})[?{write_string(LABEL_NETWORK)}]
                  != optional.of({write_string(ISOLATED)}) ||
                (oldObject != null && object.spec == oldObject.spec)
                """,
                "this namespace is isolated, and any NetworkPolicy more would let something "
                "through: what is to pass stands in spec.network.allow of its Tenant",
            ),
        ),
    )
