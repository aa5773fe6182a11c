"""Owns what the webhook's account may do, each right with its reason.

Must not grant what nobody asks for: a right goes in together with the code that uses it.
"""

from typing import Final

from webhook.admission.registration import NAME as REGISTRATION
from webhook.install.names import CA_MAP, CA_SECRET, OF_WEBHOOK, WEBHOOK, describe
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings
from webhook.resources.names import GROUP

RBAC: Final = "rbac.authorization.k8s.io"
RBAC_API: Final = f"{RBAC}/v1"


def build_account(settings: InstallSettings) -> list[RawDocument]:
    """Who the webhook is. Pods ask for its token themselves."""
    return [
        Remarked(
            "Who the webhook is. It changes nothing in the cluster but its own certificates.",
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": describe(WEBHOOK, settings.namespace),
                "automountServiceAccountToken": False,
            },
        )
    ]


def build_rights(settings: InstallSettings) -> list[RawDocument]:
    """What it follows, and its own certificates; those of cert-manager take no rights."""
    own = not settings.cert_manager
    in_cluster = Remarked(
        "In the cluster: its own registration, by name, and what it follows.",
        {
            "apiVersion": RBAC_API,
            "kind": "ClusterRole",
            "metadata": describe(WEBHOOK),
            "rules": [*(_renew() if own else []), *_follow()],
        },
    )
    return [
        *(_keep_authority(settings) if own else []),
        in_cluster,
        bind("ClusterRole", WEBHOOK, settings.namespace),
    ]


def _follow() -> list[RawDocument]:
    """Which clusters the pods of a namespace reach by tokens of their own."""
    return [
        Remarked(
            "Which clusters a Tenant's pods reach: sidecars get a token for each that trusts this "
            "cluster's.",
            {
                "apiGroups": [GROUP],
                "resources": ["clusters", "tenants"],
                "verbs": ["list", "watch"],
            },
        ),
        Remarked(
            "Which Tenant a namespace is of.",
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
        ),
    ]


def _renew() -> list[RawDocument]:
    return [
        Remarked(
            "get and watch: which authorities the API server is told to trust. patch: to put the "
            "current ones there (clientConfig.caBundle); RBAC cannot narrow it to that field, the "
            "guard mca-registration does. It may not create or delete a registration.",
            {
                "apiGroups": ["admissionregistration.k8s.io"],
                "resources": ["mutatingwebhookconfigurations"],
                "resourceNames": [REGISTRATION],
                "verbs": ["get", "watch", "patch"],
            },
        )
    ]


def _keep_authority(settings: InstallSettings) -> list[RawDocument]:
    return [
        Remarked(
            "In its own namespace: one Secret and one ConfigMap, by name. It may not list them, "
            "nor create or delete one: this file brings both along, empty.",
            {
                "apiVersion": RBAC_API,
                "kind": "Role",
                "metadata": describe(WEBHOOK, settings.namespace),
                "rules": [
                    Remarked(
                        "get and watch: the certificate authority that another replica made or "
                        "renewed. update: to make or renew it; of two replicas that try, the API "
                        "server lets one.",
                        {
                            "apiGroups": [""],
                            "resources": ["secrets"],
                            "resourceNames": [CA_SECRET],
                            "verbs": ["get", "watch", "update"],
                        },
                    ),
                    Remarked(
                        "patch: to show which authorities its certificates are verified by.",
                        {
                            "apiGroups": [""],
                            "resources": ["configmaps"],
                            "resourceNames": [CA_MAP],
                            "verbs": ["patch"],
                        },
                    ),
                ],
            },
        ),
        bind("Role", WEBHOOK, settings.namespace),
    ]


def bind(kind: str, name: str, namespace: str, component: str = OF_WEBHOOK) -> RawDocument:
    """A role to the account that is called as it."""
    return build_binding(kind, name, name, namespace, component)


def build_binding(
    kind: str, role: str, account: str, namespace: str, component: str
) -> RawDocument:
    """A role to an account of ours; a Role's binding is where the account is."""
    return {
        "apiVersion": RBAC_API,
        "kind": f"{kind}Binding",
        "metadata": describe(role, namespace if kind == "Role" else "", component),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
