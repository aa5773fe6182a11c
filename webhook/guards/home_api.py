"""Owns the guard on what tells a sidecar where its API server is, and whom to take for it.

Its volume shows the namespace's ConfigMap `kube-root-ca.crt`, and the kubelet lets a Service of the
namespace stand for the API server in its environment: with both, its token would go to a server of
the tenant's. Must not judge what is there already: the report of enforcement does.
"""

from webhook.admission.names import ROOT_CA
from webhook.guards.policy import Guard, Rule, Validation, is_admin
from webhook.guards.settings import GuardSettings, write_string, write_strings

# The controller that writes it, by its own account or by that of all controllers.
_PUBLISHERS = (
    "system:serviceaccount:kube-system:root-ca-cert-publisher",
    "system:kube-controller-manager",
)
# KUBERNETES_SERVICE_HOST comes of the one, a KUBERNETES_SERVICE_PORT that is no port of the other.
_SERVICES = ("kubernetes", "kubernetes-service")
# It makes its own in namespace default, wherever that is gone.
_API_SERVER = "system:apiserver"


def guard_home_api(settings: GuardSettings) -> Guard:
    """Deletion passes in a namespace that ends, or it would never end."""
    return Guard(
        name="mca-home-api",
        rules=(
            Rule(("CREATE", "UPDATE", "DELETE"), ("configmaps",)),
            Rule(("CREATE",), ("services",)),
        ),
        conditions={
            "named-so": (
                "(object == null ? oldObject : object).metadata.name in "
                f"{write_strings((ROOT_CA, *_SERVICES))}"
            ),
        },
        variables={
            "name": "(object == null ? oldObject : object).metadata.name",
            "ofPublisher": (
                f"request.userInfo.username in {write_strings(_PUBLISHERS)} || {is_admin(settings)}"
            ),
        },
        validations=(
            Validation(
                f"""
                request.resource.resource != 'configmaps' ||
                variables.name != {write_string(ROOT_CA)} || variables.ofPublisher ||
                (request.operation == 'DELETE' &&
                 has(namespaceObject.metadata.deletionTimestamp))
                """,
                f"ConfigMap {ROOT_CA} tells the sidecars of this namespace whom to take for the "
                "API server, and Kubernetes keeps it: put certificates of your own into another "
                "ConfigMap",
            ),
            Validation(
                f"""
                request.resource.resource != 'services' ||
                !(variables.name in {write_strings(_SERVICES)}) ||
                request.userInfo.username == {write_string(_API_SERVER)}
                """,
                "a Service of this name would stand for the API server in the environment of this "
                "namespace's pods: choose another name",
            ),
        ),
    )
