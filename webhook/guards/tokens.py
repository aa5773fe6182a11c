"""Owns the guards on credentials won through the API (attack 61): Secrets, tokens, certificates.

Must not judge what pods mount; `final_pods` does.
"""

from webhook.guards.policy import Guard, Rule, Validation, is_admin, is_controller
from webhook.guards.settings import GuardSettings, write_strings


def guard_token_secrets(_settings: GuardSettings) -> Guard:
    """For everybody, admins too: such a Secret would end the boundary for all who read Secrets.

    An old one can be deleted, and freed of its finalizers, but no more be filled.
    """
    return Guard(
        name="mca-token-secrets",
        rules=(Rule(("CREATE", "UPDATE"), ("secrets",)),),
        validations=(
            Validation(
                """
                object.?type.orValue('') != 'kubernetes.io/service-account-token' ||
                (oldObject != null && has(oldObject.metadata.deletionTimestamp) &&
                 object.metadata.?annotations == oldObject.metadata.?annotations)
                """,
                "Secrets of type kubernetes.io/service-account-token are not allowed here, they "
                "are filled with a token of the API server: use another type, or delete this one; "
                "pods call the API through their sidecar",
            ),
        ),
    )


def guard_token_requests(settings: GuardSettings) -> Guard:
    """Kubelets ask for the sidecar's own token; NodeRestriction keeps them to their pods.

    The server puts its own audiences in before it asks us, where none are named.
    """
    audiences = write_strings(settings.audiences)
    return Guard(
        name="mca-token-requests",
        rules=(Rule(("CREATE",), ("serviceaccounts/token",)),),
        conditions={
            "nobody-trusted": (
                f"!({is_admin(settings)} || {is_controller(settings)} || "
                "'system:nodes' in request.userInfo.?groups.orValue([]))"
            ),
        },
        variables={
            "audiences": "object.spec.?audiences.orValue([])",
        },
        validations=(
            Validation(
                f"""
                variables.audiences.size() > 0 &&
                variables.audiences.all(audience, audience in {audiences})
                """,
                "tokens are issued here only for audiences that MCA's guards list: name one of "
                "those with --audience, or ask an admin to list the service that will check it",
                found="variables.audiences.join(', ')",
            ),
        ),
    )


def guard_certificate_requests(_settings: GuardSettings) -> Guard:
    """In a pod's name, with a key of one's own: whoever may create these need not be its kubelet.

    Cluster-wide certificate requests have no namespace; who may approve them decides there.
    """
    return Guard(
        name="mca-certificate-requests",
        rules=(
            # Its versions come and go still.
            Rule(("CREATE",), ("podcertificaterequests",), "certificates.k8s.io", "*"),
        ),
        conditions={
            "no-kubelet": "!('system:nodes' in request.userInfo.?groups.orValue([]))",
        },
        validations=(
            Validation(
                "!object.spec.signerName.startsWith('kubernetes.io/')",
                "certificates of signers that the API server trusts are not allowed here: use a "
                "signer of your own; pods call the API through their sidecar",
                found="object.spec.signerName",
            ),
        ),
    )
