"""Owns the guard on MCA's registration: its webhook renews what it is verified by, and no more.

RBAC lets an account patch an object or not. With the webhook's token alone somebody could otherwise
send every pod of the cluster to a server of theirs. Must not guard what admins do.
"""

from webhook.guards.policy import Guard, Rule, Validation
from webhook.guards.settings import GuardSettings, write_string

_ACCOUNT = "mca-webhook"
_OF_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
_OF_WEBHOOK = (
    "rules", "failurePolicy", "matchPolicy", "namespaceSelector", "objectSelector", "sideEffects",
    "timeoutSeconds", "admissionReviewVersions", "reinvocationPolicy", "matchConditions",
    "clientConfig.?service", "clientConfig.?url",
)  # fmt: skip


def guard_registration(settings: GuardSettings) -> Guard:
    """Of the account, whatever rights it was given."""
    account = f"system:serviceaccount:{settings.system_namespace}:{_ACCOUNT}"
    metadata = " && ".join(
        f"object.metadata.?{field} == oldObject.metadata.?{field}" for field in _OF_METADATA
    )
    webhook = " && ".join(f"w.?{field} == o.?{field}" for field in _OF_WEBHOOK)
    return Guard(
        name="mca-registration",
        everywhere=True,
        rules=(
            Rule(("UPDATE",), ("mutatingwebhookconfigurations",), "admissionregistration.k8s.io"),
        ),
        conditions={"by-the-webhook": f"request.userInfo.username == {write_string(account)}"},
        validations=(
            Validation(
                f"""
                {metadata} &&
                object.?webhooks.orValue([]).size() == oldObject.?webhooks.orValue([]).size() &&
                object.?webhooks.orValue([]).all(w, oldObject.?webhooks.orValue([]).exists(o,
                  w.name == o.name && {webhook}))
                """,
                "MCA's webhook changes nothing of a registration but clientConfig.caBundle: change "
                "it as an admin",
            ),
        ),
    )
