"""Owns what the demo needs before it can begin: two clusters, their accounts, the rules, a sidecar.

Must not tell a story, nor leave anything behind: all that is started ends with the stack.
"""

import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sidecar.policy.snapshot import API_VERSION, HOME, KIND, VERSION
from tests.controlplane import ControlPlane
from webhook.cli.run.folder import RunFolder
from webhook.cli.run.report import Report
from webhook.cli.run.sidecar_child import HOST, SidecarChild

MEMBER = "eu-1"
NAMESPACE, DEV, FOREIGN = "team-a", "team-a-dev", "team-b"
ACCOUNT = "app"
TENANT: dict[str, Any] = {
    "name": "acme",
    "mode": "enforce",
    "namespaces": [NAMESPACE, DEV],
    "permissions": [
        {
            "name": "all",
            "effect": "allow",
            "verbs": ["*"],
            "groups": ["*"],
            "resources": ["*"],
        }
    ],
}
ROUTE: dict[str, Any] = {
    "name": "dev",
    "priority": 100,
    "match": [{"groups": [""], "resources": ["*"], "namespaces": [DEV]}],
    "to": {"members": [{"cluster": MEMBER}]},
}
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
# What the service account may do by RBAC. Tokens and a foreign namespace are among it: it is not
# RBAC that refuses them.
_RULES = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
]


class Started:
    """A control plane, ready, and how long that took."""

    def __init__(self, plane: ControlPlane) -> None:
        began = time.monotonic()
        self.plane = plane.start()
        self.took_s = time.monotonic() - began


class Stage:
    """The parts, as they come up."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.folder = RunFolder({})
        stack.callback(self.folder.remove)
        self.audit_path = os.path.join(self.folder.path, "audit.jsonl")
        self.snapshot_path = os.path.join(self.folder.path, "snapshot.json")
        self.clients_path = os.path.join(self.folder.path, "clients")

    def start_planes(self) -> tuple[Future[Started], Future[Started]]:
        """Both clusters at once, each in a thread."""
        planes = (ControlPlane(), ControlPlane())
        for plane in planes:
            self._stack.callback(plane.stop)
        # Closed before they are stopped: none is stopped while it starts.
        threads = self._stack.enter_context(ThreadPoolExecutor(len(planes)))
        home, member = (threads.submit(Started, plane) for plane in planes)
        return home, member

    def make_accounts(self, home: ControlPlane, member: ControlPlane) -> str:
        """The service accounts, and files with their tokens for the sidecar; home's token."""
        for namespace in (NAMESPACE, FOREIGN):
            _make_account(home, namespace)
        _make_account(member, DEV, account_in=DEV)
        token = home.token(NAMESPACE, ACCOUNT)
        _wait_for_role(home, token, NAMESPACE)
        _wait_for_role(home, token, FOREIGN)
        member_token = member.token(DEV, ACCOUNT)
        _wait_for_role(member, member_token, DEV)
        for name, plane, held in ((HOME, home, token), (MEMBER, member, member_token)):
            self.folder.write(f"members/{name}/token", held.encode())
            self.folder.write(f"members/{name}/ca.crt", plane.ca_pem.encode())
        return token

    def write_snapshot(self, home: ControlPlane, member: ControlPlane) -> None:
        """The rules, as the controller will write them."""
        document = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "version": VERSION,
            "revision": "demo",
            "namespace": NAMESPACE,
            "tenant": TENANT,
            "clusters": [self._describe(HOME, home), self._describe(MEMBER, member)],
            "routes": [ROUTE],
        }
        self.folder.write("snapshot.json", json.dumps(document, indent=1).encode())

    def start_sidecar(self) -> SidecarChild:
        """As it runs in a pod: by its environment alone."""
        report = Report(self.audit_path)
        self._stack.callback(report.close)
        sidecar = SidecarChild(report)
        self._stack.callback(sidecar.stop)
        sidecar.start(
            {
                **{name: text for name, text in os.environ.items() if name[:4] != "MCA_"},
                "MCA_SNAPSHOT": self.snapshot_path,
                "MCA_NAMESPACE": NAMESPACE,
                "MCA_POD": "app-0",
                "MCA_SERVICE_ACCOUNT": ACCOUNT,
                "MCA_CONTAINERS": "app",
                "MCA_IDENTITY_DIR": os.path.join(self.folder.path, "identity"),
                "MCA_CLIENTS_DIR": self.clients_path,
            }
        )
        return sidecar

    def _describe(self, name: str, plane: ControlPlane) -> dict[str, Any]:
        files = Path(self.folder.path, "members", name)
        return {
            "name": name,
            "server": f"https://{HOST}:{plane.port}",
            "caBundle": {"caFile": str(files / "ca.crt")},
            "tlsServerName": None,
            "credentials": {"tokenFile": str(files / "token")},
        }


def _make_account(plane: ControlPlane, namespace: str, *, account_in: str = NAMESPACE) -> None:
    """The account and its role in a namespace."""
    plane.create_service_account(account_in, ACCOUNT)
    plane.create_namespace(namespace)
    role = {"metadata": {"name": ACCOUNT}, "rules": _RULES}
    plane.create(f"{_RBAC}/namespaces/{namespace}/roles", role)
    binding = {
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "namespace": account_in, "name": ACCOUNT}],
    }
    plane.create(f"{_RBAC}/namespaces/{namespace}/rolebindings", binding)


def _wait_for_role(plane: ControlPlane, token: str, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    deadline = time.monotonic() + 10
    while plane.request("GET", path, token=token).status != 200:
        if time.monotonic() > deadline:
            raise RuntimeError("the service account was not given its role")
        time.sleep(0.05)
