"""Where an admin of several clusters sits: one kubeconfig, and the command `mca`.

Must not judge what it does.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.controller.scene import Home, poll
from tests.controlplane import ControlPlane
from tests.webhook.cli.test_entry import mca

CLUSTERS = "/apis/mca.io/v1alpha1/clusters"


class Desk:
    """Contexts are called as the planes are; `home` is the current one."""

    def __init__(self, home: Home, folder: Path, **members: ControlPlane) -> None:
        self.home = home
        planes = {"home": home.plane, **members}
        configs = {
            name: json.loads(plane.admin_kubeconfig().read_text()) for name, plane in planes.items()
        }
        document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": "home"}
        document["contexts"] = [
            {"name": name, "context": {"cluster": name, "user": name}} for name in planes
        ]
        for key in ("clusters", "users"):
            document[key] = [{**config[key][0], "name": name} for name, config in configs.items()]
        self.kubeconfig = folder / "desk.kubeconfig"
        self.kubeconfig.write_text(json.dumps(document))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return mca(*arguments, "--kubeconfig", str(self.kubeconfig))

    def do(self, *arguments: str) -> str:
        """It must work."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def cluster(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.home.plane.request("GET", f"{CLUSTERS}/{name}").json()
        return found

    def reason(self, name: str, kind: str) -> tuple[str, str]:
        condition = self.home.condition(f"{CLUSTERS}/{name}", kind)
        return condition.get("status", ""), condition.get("reason", "")

    def wait(self, name: str, kind: str, *expected: str) -> None:
        poll(lambda: self.reason(name, kind) == expected, told=f"{name} {kind} is not {expected}")

    def uid(self) -> str:
        path = "/api/v1/namespaces/kube-system"
        return str(self.home.plane.request("GET", path).json()["metadata"]["uid"])
