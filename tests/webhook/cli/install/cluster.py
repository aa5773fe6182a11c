"""A control plane with a node, and the commands `mca` and kubectl on it.

Owns how both are run, and what is in the cluster as a whole. Must not know what is installed.
"""

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane import ControlPlane
from tests.webhook.cli.check.scene import CONTROL, SIDECAR
from tests.webhook.cli.install.node import Node
from tests.webhook.cli.test_entry import mca

IMAGES = ("--sidecar-image", SIDECAR, "--control-image", CONTROL)
# What was answered about Secrets is recorded as it was sent.
_AUDIT = (
    {"level": "RequestResponse", "resources": [{"group": "", "resources": ["secrets"]}]},
    {"level": "Metadata"},
)
# They come and go by themselves.
_RESTLESS = ("events", "leases", "endpoints", "endpointslices")


class Cluster:
    """With users `admin` (system:masters), `operator` (all rights, and none of MCA's admins),
    `reader` (may read) and `nobody`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.plane = self._stack.enter_context(
            ControlPlane(
                controller_manager=True,
                users={"operator": ["operators"], "reader": ["readers"]},
                flags={"enable-aggregator-routing": "true"},
                audit_policy=_AUDIT,
            )
        )
        self.node = self._stack.enter_context(Node(self.plane, self.folder))
        self.bind("operators", "cluster-admin")
        everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}
        role = {"metadata": {"name": "read-everything"}, "rules": [everything]}
        self.plane.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
        self.bind("readers", "read-everything")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def bind(self, group: str, role: str) -> None:
        """A group to a cluster role."""
        rbac = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": f"test-{group}"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
        }
        self.plane.create(f"/apis/{rbac}/v1/clusterrolebindings", binding)

    def mca(self, *arguments: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
        """Run the command as this user."""
        return mca(*arguments, "--kubeconfig", str(self.write_kubeconfig(user)))

    def install(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """It must work."""
        done = self.mca("install", *IMAGES, "--wait", "30", *arguments)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.node.log()}"
        return done

    def uninstall(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """It must work."""
        done = self.mca("uninstall", *arguments)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done

    def check(self, *arguments: str, user: str = "admin") -> tuple[int, dict[str, Any]]:
        """The exit code, and what is told."""
        done = self.mca("check", "-o", "json", *arguments, user=user)
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)

    def write_kubeconfig(self, user: str) -> Path:
        """By token; the control plane's own for the admin."""
        if user == "admin":
            return self.plane.admin_kubeconfig()
        config = json.loads(self.plane.admin_kubeconfig().read_text())
        config["users"] = [{"name": "admin", "user": {"token": self.plane.tokens[user]}}]
        path = self.folder / f"{user}.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def list_answers_on_secrets(self) -> list[tuple[str, str, bool]]:
        """Of all calls of `mca` by the admin: verb, kind of the answer, whether it has data."""
        events = map(json.loads, (self.plane.folder / "audit.jsonl").read_text().splitlines())
        found = []
        for event in events:
            # Who shows a token that is none has no name.
            name = event["user"].get("username")
            ours = event.get("userAgent") == "mca" and name == "kubernetes-admin"
            if ours and (event.get("objectRef") or {}).get("resource") == "secrets":
                answer = event.get("responseObject") or {}
                found.append(
                    (event["verb"], answer.get("kind", ""), '"data"' in json.dumps(answer))
                )
        return found

    def label(self, namespace: str, **labels: str | None) -> None:
        """Labels `mca.io/…`; the namespace is made if it is not there."""
        self.plane.create_namespace(namespace)
        named = {f"mca.io/{key.replace('_', '-')}": text for key, text in labels.items()}
        self.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": named}})
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        wait_until(lambda: self.plane.request("GET", path).status == 200)

    def patch(self, path: str, change: Any) -> Any:
        """A merge patch by the admin; it must work."""
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self.plane.request("PATCH", path, json.dumps(change).encode(), headers=headers)
        assert answer.status == 200, answer.body
        return answer.json()

    def list_everything(self) -> set[str]:
        """The path of every object there is, but for what comes and goes by itself, and the
        definitions of MCA's kinds: once there they stay.
        """
        found: set[str] = set()
        groups = self.plane.request("GET", "/apis").json()["groups"]
        roots = [
            "/api/v1",
            *(f"/apis/{each['preferredVersion']['groupVersion']}" for each in groups),
        ]
        for root in roots:
            for resource in self.plane.request("GET", root).json()["resources"]:
                if "list" in resource["verbs"] and resource["name"] not in _RESTLESS:
                    answer = self.plane.request("GET", f"{root}/{resource['name']}").json()
                    # Of a kind that was defined a moment ago nothing is told yet.
                    items = answer.get("items", ())
                    found |= {_name(root, resource["name"], item) for item in items}
        return {path for path in found if not path.endswith(".mca.io")}


def _name(root: str, plural: str, item: Any) -> str:
    metadata = item["metadata"]
    return f"{root} {plural} {metadata.get('namespace', '')}/{metadata['name']}"


def wait_until(holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
