"""Owns the names of the custom resources, and of what is written about them.

Must not know what is done with them.
"""

from typing import Final, Literal

GROUP: Final = "mca.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
ROOT: Final = f"/apis/{API_VERSION}"
CATEGORY: Final = "mca"

Kind = Literal["Cluster", "Tenant", "Route"]
PLURALS: Final[dict[Kind, str]] = {"Cluster": "clusters", "Tenant": "tenants", "Route": "routes"}
# Lists over all of them.
CLUSTERS_PATH: Final = f"{ROOT}/clusters"
TENANTS_PATH: Final = f"{ROOT}/tenants"
ROUTES_PATH: Final = f"{ROOT}/routes"
NAMESPACES_PATH: Final = "/api/v1/namespaces"
# By its uid a cluster is known: there is one in each, and nobody makes it anew.
KUBE_SYSTEM_PATH: Final = f"{NAMESPACES_PATH}/kube-system"

# Only admins and the controller set them: the guard mca-namespace-labels sees to that.
OUR_PREFIX: Final = f"{GROUP}/"
LABEL_INJECTION: Final = "mca.io/injection"
LABEL_BOUNDARY: Final = "mca.io/boundary"
LABEL_TENANT: Final = "mca.io/tenant"
# The controller denies all traffic there but what is listed; the guard keeps others from more.
LABEL_NETWORK: Final = "mca.io/network"
ISOLATED: Final = "isolated"
TENANT_UID: Final = "mca.io/tenant-uid"
# By which Tenant an object was made, or a namespace.
CREATED_BY: Final = "mca.io/created-by"
# On what is made on a member: the uid of the home whose it is.
LABEL_HOME: Final = "mca.io/home"
REVISION: Final = "mca.io/revision"
FINALIZER: Final = "mca.io/tenant"
POD_SECURITY: Final = "pod-security.kubernetes.io/enforce"
OUR_LABELS: Final = {
    "app.kubernetes.io/name": "mca",
    "app.kubernetes.io/component": "controller",
    "app.kubernetes.io/part-of": "mca",
}

# The ConfigMap with a namespace's snapshot, and the RoleBinding that lets its accounts read it.
POLICY: Final = "mca-policy"
POLICY_KEY: Final = "snapshot.v1.json"
POLICY_READER: Final = "mca-policy-reader"

SYSTEM_NAMESPACE: Final = "mca-system"
# Its Deployment, its account, its Lease, and what Events say that they are from.
CONTROLLER: Final = "mca-controller"
BROKER_SERVICE: Final = "mca-broker"
BROKER_PORT: Final = 8444
BROKER_AUDIENCE: Final = "mca.io/broker"
CREDENTIALS_TYPE: Final = "mca.io/cluster-credentials"
# Stands in a snapshot for clusters that a route names and that cannot be used.
CLOSED: Final = "mca-closed"
# Where the sidecar finds its projected tokens for members: <name>/token.
MEMBERS_FOLDER: Final = "/var/run/mca/members"


def object_path(kind: Kind, name: str, namespace: str = "") -> str:
    """The API's path of one object."""
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{ROOT}{where}/{PLURALS[kind]}/{name}"
