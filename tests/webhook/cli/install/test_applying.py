"""What is said when the API server refuses an object."""

import pytest

from webhook.cli.install.applying import explain_refusal
from webhook.kube import KubeError

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
MONITOR = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor"}
CAUSES = {
    "causes": [
        {"message": 'conflict with "helm" using apps/v1', "field": ".spec.replicas"},
        {"message": 'conflict with "helm" using apps/v1', "field": ".spec.template"},
    ]
}


@pytest.mark.parametrize(
    ("document", "error", "wrong", "remedy"),
    [
        (DEPLOYMENT, KubeError(409, "Conflict", "Apply failed", CAUSES),
         'conflict with "helm" using apps/v1: .spec.replicas, .spec.template', "--force-conflicts"),
        (DEPLOYMENT, KubeError(409, "Conflict", "try again"), "try again", "run the same command"),
        (DEPLOYMENT, KubeError(403, "Forbidden", 'User "eve" cannot patch'), "eve",
         "a cluster's admin"),
        (DEPLOYMENT, KubeError(403, "Forbidden", "ValidatingAdmissionPolicy 'mca-own-objects' de"),
         "own-objects", "whom MCA's guards name"),
        (DEPLOYMENT, KubeError(403, "Forbidden", "exceeded quota: none"), "quota", "mend that"),
        (DEPLOYMENT, KubeError(403, "Forbidden", "because it is being terminated"), "terminated",
         "mend that"),
        (DEPLOYMENT, KubeError(0, "", "https://x: timed out"), "timed out", "can be reached"),
        (DEPLOYMENT, KubeError(422, "Invalid", "bad field"), "bad field", "mend that"),
        (DEPLOYMENT, KubeError(404, "NotFound", "not found"), "not found", "mend that"),
        (MONITOR, KubeError(404, "NotFound", "not found"),
         "the cluster has no ServiceMonitor of monitoring.coreos.com", "the Prometheus operator"),
    ],
)  # fmt: skip
def test_refusals(document: dict[str, object], error: KubeError, wrong: str, remedy: str) -> None:
    told = explain_refusal(document, error)
    assert wrong in told[0]
    assert remedy in told[1]
