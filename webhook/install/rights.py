"""Owns what our accounts may do, each right with its reason.

Must not grant what nobody asks for: a right goes in together with the code that uses it.
"""

from webhook.admission.registration import NAME as REGISTRATION
from webhook.install.names import CA_MAP, CA_SECRET, WEBHOOK, describe
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings

_GROUP = "rbac.authorization.k8s.io"


def build_account(settings: InstallSettings) -> list[RawDocument]:
    """Who the webhook is. Pods ask for its token themselves, where they need one."""
    return [
        Remarked(
            "Who the webhook is. Injecting pods takes no rights at all: the API server sends what "
            "there is to know.",
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": describe(WEBHOOK, settings.namespace),
                "automountServiceAccountToken": False,
            },
        )
    ]


def build_rights(settings: InstallSettings) -> list[RawDocument]:
    """For its own certificates only; with cert-manager it needs none."""
    if settings.cert_manager:
        return []
    in_namespace = Remarked(
        "In its own namespace: one Secret and one ConfigMap, by name. It may not list them, nor "
        "create or delete one: this file brings both along, empty.",
        {
            "apiVersion": f"{_GROUP}/v1",
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
    )
    in_cluster = Remarked(
        "In the cluster: its own registration, by name, and nothing else.",
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "ClusterRole",
            "metadata": describe(WEBHOOK),
            "rules": [
                Remarked(
                    "get and watch: which authorities the API server is told to trust. patch: to "
                    "put the current ones there (clientConfig.caBundle); RBAC cannot narrow it to "
                    "that field, the guard mca-registration does. It may not create or delete a "
                    "registration.",
                    {
                        "apiGroups": ["admissionregistration.k8s.io"],
                        "resources": ["mutatingwebhookconfigurations"],
                        "resourceNames": [REGISTRATION],
                        "verbs": ["get", "watch", "patch"],
                    },
                )
            ],
        },
    )
    return [
        in_namespace,
        _bind("Role", settings.namespace, settings.namespace),
        in_cluster,
        _bind("ClusterRole", "", settings.namespace),
    ]


def _bind(kind: str, namespace: str, account_namespace: str) -> RawDocument:
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": describe(WEBHOOK, namespace),
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": WEBHOOK},
        "subjects": [{"kind": "ServiceAccount", "name": WEBHOOK, "namespace": account_namespace}],
    }
