"""Owns where the API has the objects of an installation: a path for each of its kinds.

Must not call it. The kinds are few and known; a test asks a real API server whether all are right.
"""

from typing import Final

from webhook.admission.outcome import RawObject

# API version and kind: the plural, and whether it has namespaces.
KINDS: Final = {
    ("v1", "Namespace"): ("namespaces", False),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): ("customresourcedefinitions", False),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Service"): ("services", True),
    ("v1", "ResourceQuota"): ("resourcequotas", True),
    ("apps/v1", "Deployment"): ("deployments", True),
    ("policy/v1", "PodDisruptionBudget"): ("poddisruptionbudgets", True),
    ("networking.k8s.io/v1", "NetworkPolicy"): ("networkpolicies", True),
    ("rbac.authorization.k8s.io/v1", "Role"): ("roles", True),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("rolebindings", True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): ("clusterroles", False),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("clusterrolebindings", False),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"): ("flowschemas", False),
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration"): (
        "prioritylevelconfigurations",
        False,
    ),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"): (
        "mutatingwebhookconfigurations",
        False,
    ),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): (
        "validatingadmissionpolicies",
        False,
    ),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): (
        "validatingadmissionpolicybindings",
        False,
    ),
    # These are there only where their operators are.
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ("servicemonitors", True),
    ("cert-manager.io/v1", "Issuer"): ("issuers", True),
    ("cert-manager.io/v1", "Certificate"): ("certificates", True),
}
OPERATORS: Final = {
    "monitoring.coreos.com": "the Prometheus operator",
    "cert-manager.io": "cert-manager",
}


def find_path(document: RawObject) -> str:
    """Of one object."""
    metadata = document["metadata"]
    collection = find_collection(
        document["apiVersion"], document["kind"], metadata.get("namespace") or ""
    )
    return f"{collection}/{metadata['name']}"


def find_collection(api_version: str, kind: str, namespace: str) -> str:
    """Of all of a kind; with a namespace, of those in it."""
    plural, namespaced = KINDS[api_version, kind]
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    where = f"/namespaces/{namespace}" if namespaced and namespace else ""
    return f"{root}{where}/{plural}"


def name_object(document: RawObject) -> str:
    """As kubectl does: `deployment.apps/web`, with its namespace in front."""
    group = document["apiVersion"].rpartition("/")[0]
    metadata = document["metadata"]
    where = f"{metadata['namespace']}: " if metadata.get("namespace") else ""
    kind = document["kind"].lower()
    return (
        f"{where}{kind}.{group}/{metadata['name']}"
        if group
        else f"{where}{kind}/{metadata['name']}"
    )
