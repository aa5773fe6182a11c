"""The admin's ways into a running control plane: plain calls, kubectl, tokens of service accounts.

Owns how tests and demo set a cluster up. Must not start or stop anything.
"""

import json
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.controlplane.calls import Answer, run_kubectl, send_call
from tests.controlplane.certificates import Authority, Pair


class Access(ABC):
    """What needs no more than an address, a CA and the admin's credentials."""

    port: int
    authority: Authority
    tokens: dict[str, str]

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Its private folder, removed with it: use it for what belongs to this control plane."""

    @property
    def url(self) -> str:
        """Where kube-apiserver answers."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_pem(self) -> str:
        """The CA of its serving certificate."""
        return self.authority.pem

    def admin_kubeconfig(self) -> Path:
        """A kubeconfig of system:masters, with a client certificate."""
        return self.folder / "admin.kubeconfig"

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout_s: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl 1.36, as the admin unless told otherwise; an error shows what it printed."""
        return run_kubectl(
            kubeconfig or self.admin_kubeconfig(),
            self.folder,
            arguments,
            text=input,
            check=check,
            timeout_s=timeout_s,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> Answer:
        """One direct call, as the admin unless a token is given; `""` is anonymous."""
        bearer = self.tokens["admin"] if token is None else token
        trust = ssl.create_default_context(cadata=self.ca_pem)
        address = ("127.0.0.1", self.port)
        return send_call(
            address, trust, bearer, (method, path, body), headers=headers, timeout_s=timeout_s
        )

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST as the admin; what is there already is left as it is."""
        answer = self.request("POST", path, dict(body))
        if answer.status not in (200, 201, 202, 409):
            raise RuntimeError(f"POST {path}: {answer.status} {answer.body.decode()}")
        return answer.json()

    def create_namespace(self, name: str) -> None:
        """A namespace, if it is not there."""
        self.create("/api/v1/namespaces", {"metadata": {"name": name}})

    def create_service_account(
        self, namespace: str, name: str, *, cluster_role: str | None = None
    ) -> None:
        """A service account and its namespace, bound everywhere to a cluster role if one is named.

        `view`, `edit` and `admin` are empty without the controller manager, which fills them from
        `system:aggregate-to-view` and so on: bind those.
        """
        self.create_namespace(namespace)
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.create(accounts, {"metadata": {"name": name}})
        if cluster_role is None:
            return
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": f"{namespace}-{name}-{cluster_role}"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": cluster_role},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
        }
        self.create(f"/apis/{group}/v1/clusterrolebindings", binding)
        self._wait_until_bound(f"system:serviceaccount:{namespace}:{name}", cluster_role)

    def _wait_until_bound(self, user: str, cluster_role: str) -> None:
        """The authorizer learns of a binding by a watch of its own, a moment later."""
        role = self.request(
            "GET", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{cluster_role}"
        )
        rule = next((rule for rule in role.json().get("rules") or () if "resources" in rule), None)
        if rule is None:
            raise ValueError(f"cluster role {cluster_role} allows nothing to wait for")
        resource, _, subresource = rule["resources"][0].partition("/")
        wanted = {
            "verb": rule["verbs"][0],
            "group": rule["apiGroups"][0],
            "resource": resource,
            "subresource": subresource,
            "name": (rule.get("resourceNames") or [""])[0],
        }
        review = {"spec": {"user": user, "resourceAttributes": wanted}}
        deadline = time.monotonic() + 10
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        while not self.create(path, review)["status"]["allowed"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{user} did not get {cluster_role}")
            time.sleep(0.02)

    def token(
        self,
        namespace: str,
        service_account: str,
        *,
        audiences: Sequence[str] = (),
        seconds: int = 3600,
    ) -> str:
        """A real token by TokenRequest; the API server grants no less than 600 seconds."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        spec = {"audiences": list(audiences), "expirationSeconds": seconds}
        return str(self.create(path, {"spec": spec})["status"]["token"])


def render_kubeconfig(url: str, ca_file: Path, client: Pair) -> str:
    """A kubeconfig with one context (JSON is YAML)."""
    user = {"client-certificate": str(client.certificate), "client-key": str(client.key)}
    cluster = {"server": url, "certificate-authority": str(ca_file)}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "control-plane",
            "contexts": [
                {"name": "control-plane", "context": {"cluster": "control-plane", "user": "admin"}}
            ],
            "clusters": [{"name": "control-plane", "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
        },
        indent=1,
    )
