"""A real control plane with the guards in it, and a tenant who may do everything in its namespace.

Owns how guards are installed and how a call is judged. Must not know any one guard.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.controlplane import Answer, ControlPlane
from webhook.guards.rendering import render_manifests
from webhook.guards.settings import GuardSettings

IMAGE = f"registry.example.com/mca@sha256:{'5' * 64}"
PREVIOUS = f"registry.example.com/mca@sha256:{'4' * 64}"
SETTINGS = GuardSettings(
    image=IMAGE,
    previous_images=(PREVIOUS,),
    audiences=("vault", "sts.example.com"),
    controllers=("system:serviceaccount:mca-system:mca-controller",),
    policy="controller",
)
ENFORCED = {
    "mca.io/injection": "enabled",
    "mca.io/boundary": "enforced",
    "pod-security.kubernetes.io/enforce": "baseline",
}
HELD = {"mca.io/tenant": "acme", "mca.io/network": "isolated"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Guarded:
    """The cluster with the guards.

    `team` is enforced, `plain` has nothing to do with MCA. `lax` is enforced but for Pod Security,
    from before the guards: what is refused there, they refuse alone. `held` is a Tenant's,
    isolated.
    """

    def __init__(self, plane: ControlPlane, settings: GuardSettings = SETTINGS) -> None:
        self.plane = plane
        self.manifests = render_manifests(settings)
        self.tenants: dict[str, str] = {}
        lax = {"mca.io/boundary": "enforced"}
        spaces: tuple[tuple[str, dict[str, str]], ...] = (
            ("team", ENFORCED),
            ("plain", {}),
            ("lax", lax),
            ("held", HELD),
        )
        for namespace, labels in spaces:
            body = {"metadata": {"name": namespace, "labels": labels}}
            plane.create("/api/v1/namespaces", body)
            self.tenants[namespace] = self._make_tenant(namespace)
        for pod in older_pods():
            self.make("/api/v1/namespaces/lax/pods", pod)
        self._install()
        account = ("mca-system", "mca-controller")
        plane.create_service_account(*account, cluster_role="cluster-admin")
        self.controller = plane.token(*account)

    def _make_tenant(self, namespace: str) -> str:
        """More than the role admin: all verbs on all there is in its namespace, itself included."""
        self.plane.create_service_account(namespace, "owner")
        binding = {
            "metadata": {"name": "owner"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "owner"}],
        }
        self.plane.create(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
        token = self.plane.token(namespace, "owner")
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        wait_until(lambda: self.plane.request("GET", path, token=token).status == 200)
        return token

    def _install(self) -> None:
        """Policies and bindings are watched in order: where the last one acts, all do."""
        for manifest in self.manifests:
            plural = "ies" if manifest["kind"].endswith("Policy") else "ybindings"
            path = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic{plural}"
            answer = self.plane.request("POST", path, manifest)
            assert answer.status == 201, answer.body
        name = self.manifests[-1]["metadata"]["name"]
        wait_until(lambda: name in self._probe())

    def _probe(self) -> str:
        """The answer to what the last guard refuses: a pod without its sidecar."""
        pod = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
        path = "/api/v1/namespaces/team/pods?dryRun=All"
        return self.plane.request("POST", path, pod).body.decode()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        namespace: str = "team",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """As the tenant of a namespace, unless a token is given."""
        bearer = self.tenants[namespace] if token is None else token
        return self.plane.request(method, path, body, token=bearer, headers=headers)

    def patch(self, path: str, change: Any, **options: Any) -> Answer:
        """A merge patch."""
        return self.call("PATCH", path, json.dumps(change).encode(), headers=MERGE_PATCH, **options)

    def write_kubeconfig(self, namespace: str) -> Path:
        """For kubectl as a tenant."""
        cluster = {
            "server": self.plane.url,
            "certificate-authority": str(self.plane.authority.file),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tenant",
            "contexts": [{"name": "tenant", "context": {"cluster": "it", "user": "tenant"}}],
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "tenant", "user": {"token": self.tenants[namespace]}}],
        }
        path = self.plane.folder / f"{namespace}.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def make(self, path: str, body: Any) -> Any:
        """As the admin, and it must work."""
        answer = self.plane.request("POST", path, body)
        assert answer.status in (200, 201), answer.body
        return answer.json()


def older_pods() -> list[dict[str, Any]]:
    """From before the guards: without a sidecar, one with volumes of all kinds."""
    containers = [{"name": "app", "image": "app"}]
    token = {"path": "token"}
    volumes = [
        {"name": "kube-api-access-x", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {
            "name": "vault",
            "projected": {"sources": [{"serviceAccountToken": token | {"audience": "vault"}}]},
        },
        {"name": "node", "hostPath": {"path": "/"}},
        {"name": "secret", "secret": {"secretName": "mca-tls"}},
    ]
    account = {"serviceAccountName": "owner", "containers": containers}
    return [
        {"metadata": {"name": "old"}, "spec": account | {"volumes": volumes}},
        {"metadata": {"name": "shared"}, "spec": account | {"shareProcessNamespace": True}},
    ]


def assert_refused(answer: Answer, policy: str, *told: str) -> None:
    """By this guard and nothing else, in words that help."""
    status = answer.json()
    assert answer.status == 403, status
    assert f"ValidatingAdmissionPolicy '{policy}'" in status["message"]
    for words in told:
        assert words in status["message"], status["message"]


def assert_passed(answer: Answer) -> None:
    assert answer.status in (200, 201), answer.body


def wait_until(holds: Any, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
