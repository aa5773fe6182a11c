"""Owns what owners and accounts of a tenant may do in its namespaces, by profile.

Must not grant what would undo a tenant's bounds: quotas, limit ranges and NetworkPolicies are left
out because nothing but these rules keeps a tenant from them; what is called mca-* among ConfigMaps,
Secrets, Roles and RoleBindings is kept by the guard mca-own-objects. Nor impersonation, nor tokens
of service accounts, nor proxies.
"""

from typing import Any, Final

PREFIX: Final = "mca-profile-"
STANDARD: Final = f"{PREFIX}standard"
ELEVATED: Final = f"{PREFIX}elevated"

_RBAC: Final = "rbac.authorization.k8s.io"
_READ: Final = ["get", "list", "watch"]
_WORK: Final = [*_READ, "create", "update", "patch", "delete", "deletecollection"]

_STANDARD: Final = (
    ("", ["pods", "configmaps", "secrets", "services", "persistentvolumeclaims"], _WORK),
    ("", ["replicationcontrollers", "replicationcontrollers/scale"], _WORK),
    ("", ["pods/log"], ["get"]),
    # Over WebSocket these come as get, on servers before 1.35.
    ("", ["pods/exec", "pods/attach", "pods/portforward"], ["get", "create"]),
    ("", ["pods/eviction"], ["create"]),
    ("", ["events", "endpoints", "serviceaccounts", "resourcequotas", "limitranges"], _READ),
    ("", ["namespaces"], ["get"]),
    (
        "apps",
        [
            "deployments", "deployments/scale", "statefulsets", "statefulsets/scale",
            "replicasets", "replicasets/scale", "daemonsets", "controllerrevisions",
        ],
        _WORK,
    ),
    ("batch", ["jobs", "cronjobs"], _WORK),
    ("autoscaling", ["horizontalpodautoscalers"], _WORK),
    ("policy", ["poddisruptionbudgets"], _WORK),
    ("networking.k8s.io", ["ingresses"], _WORK),
    ("coordination.k8s.io", ["leases"], _WORK),
    ("discovery.k8s.io", ["endpointslices"], _READ),
    ("events.k8s.io", ["events"], _READ),
    ("metrics.k8s.io", ["pods"], ["get", "list"]),
    ("mca.io", ["routes"], _WORK),
    ("mca.io", ["routes/status"], ["get"]),
)  # fmt: skip
# The API server lets nobody grant by a Role what they may not do themselves.
_ELEVATED: Final = (
    *_STANDARD,
    ("", ["serviceaccounts"], _WORK),
    (_RBAC, ["roles", "rolebindings"], _WORK),
    ("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
)


def build_roles() -> list[dict[str, Any]]:
    """The ClusterRoles that an installation brings; RoleBindings put them to work, nothing else."""
    return [
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
                for group, resources, verbs in rules
            ],
        }
        for name, rules in ((STANDARD, _STANDARD), (ELEVATED, _ELEVATED))
    ]
