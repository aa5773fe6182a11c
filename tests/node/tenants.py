"""An enforced namespace and its tenant, who may do everything there and nothing elsewhere.

Owns how such a namespace is made, and how a test acts as its tenant. Must not judge.
"""

import json
import time
from typing import Any, NamedTuple

from tests.controlplane import Answer
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import ENFORCED, open_namespace

VIEW = "system:aggregate-to-view"
TIMEOUT_S = 60.0


class Done(NamedTuple):
    """What a command printed and ended with."""

    returncode: int
    stdout: str
    stderr: str


class Tenant(NamedTuple):
    """Every right in one namespace."""

    node: Node
    space: str

    @property
    def user(self) -> str:
        """Its account."""
        return f"system:serviceaccount:{self.space}:tenant"

    def kubectl(self, *arguments: str, **options: Any) -> Done:
        """As the tenant, in its namespace."""
        user = (f"--as={self.user}", "-n", self.space)
        done = self.node.plane.kubectl(*user, *arguments, check=False, **options)
        return Done(done.returncode, done.stdout, done.stderr)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One call as the tenant."""
        as_user = {"Impersonate-User": self.user, **headers}
        return self.node.plane.request(method, path, body, headers=as_user)

    def create(self, pod: dict[str, Any]) -> Done:
        """A pod."""
        return self.kubectl("create", "-f", "-", input=json.dumps(pod))


def open_enforced(node: Node, space: str) -> Tenant:
    """A guarded namespace with one pod `app`, made by its tenant, that runs."""
    open_namespace(node, space, "app", VIEW, ENFORCED)
    node.plane.create_service_account(space, "tenant")
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "tenant"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": space, "name": "tenant"}],
    }
    node.plane.create(f"/apis/{group}/v1/namespaces/{space}/rolebindings", binding)
    tenant = Tenant(node, space)
    deadline = time.monotonic() + TIMEOUT_S
    # The API server learns of rights and guards a moment after they were made.
    while (made := tenant.create(write_pod("app", serviceAccountName="app"))).returncode:
        assert time.monotonic() < deadline, made.stderr
        time.sleep(0.2)
    node.wait_for_pod(space, "app")
    while "mca-exec" not in (done := tenant.kubectl("exec", "app", "-c", "mca", "--", "id")).stderr:
        assert time.monotonic() < deadline, done
        time.sleep(0.5)
    return tenant
