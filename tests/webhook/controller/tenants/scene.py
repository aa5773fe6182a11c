"""A home cluster with MCA's objects as installed, and the controller as a process with its rights.

Owns what the tests of provisioning ask of both. Must not decide what they expect.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import choose_port
from tests.webhook.cli.run.scene import MCA
from webhook.cli.install.paths import find_path
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings
from webhook.resources.names import API_VERSION, TENANTS_PATH

Raw = dict[str, Any]
SYSTEM = "mca-system"
PATIENCE_S = 60.0
_IMAGE = f"registry.example/mca@sha256:{'a' * 64}"
# Nobody runs pods here, and nobody would answer the webhook.
_LEFT_OUT = (
    "Deployment", "MutatingWebhookConfiguration", "FlowSchema", "PriorityLevelConfiguration",
)  # fmt: skip


class Home:
    """One API server; its admin is one whom the guards name."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        objects = build_objects(InstallSettings(sidecar_image=_IMAGE, control_image=_IMAGE))
        for document in objects:
            if document["kind"] not in _LEFT_OUT:
                plane.create(find_path(document).rpartition("/")[0], document)
        self.wait(lambda: plane.request("GET", TENANTS_PATH).status == 200, "the kinds are served")

    def get(self, path: str) -> Raw | None:
        """What is there; None if nothing is."""
        answer = self.plane.request("GET", path)
        if answer.status == 404:
            return None
        assert answer.status == 200, answer.body
        found: Raw = answer.json()
        return found

    def send(
        self, method: str, path: str, body: Any = None, user: str = "admin", kind: str = ""
    ) -> int:
        """One write; its status."""
        headers = {"Content-Type": kind} if kind else {}
        content = json.dumps(body).encode() if kind else body
        token = self.plane.tokens[user]
        return self.plane.request(method, path, content, token=token, headers=headers).status

    def merge(self, path: str, body: Raw, user: str = "admin") -> int:
        """A merge patch."""
        return self.send("PATCH", path, body, user, "application/merge-patch+json")

    def make_tenant(self, name: str, **spec: Any) -> None:
        """Or change it to this."""
        body = {"apiVersion": API_VERSION, "kind": "Tenant", "metadata": {"name": name}}
        there = self.get(f"{TENANTS_PATH}/{name}")
        if there is None:
            answer = self.plane.request("POST", TENANTS_PATH, {**body, "spec": spec})
        else:
            changed = {**there, "spec": spec}
            answer = self.plane.request("PUT", f"{TENANTS_PATH}/{name}", changed)
        assert answer.status in (200, 201), answer.body

    def conditions(self, tenant: str) -> dict[str, Raw]:
        """By type, if they are of what the Tenant states now."""
        found = self.get(f"{TENANTS_PATH}/{tenant}") or {}
        status = found.get("status") or {}
        if status.get("observedGeneration") != (found.get("metadata") or {}).get("generation"):
            return {}
        return {raw["type"]: raw for raw in status.get("conditions") or ()}

    def is_ready(self, tenant: str) -> bool:
        """All that it states stands."""
        return self.conditions(tenant).get("Ready", {}).get("status") == "True"

    def fails(self, tenant: str, step: str) -> str:
        """Reason and message of a step that failed, or nothing."""
        raw = self.conditions(tenant).get(step, {})
        return f"{raw['reason']}: {raw['message']}" if raw.get("status") == "False" else ""

    def finalize(self, namespace: str) -> None:
        """As Kubernetes' own controller does once a namespace is empty."""
        path = f"/api/v1/namespaces/{namespace}"
        raw = self.get(path)
        if raw is not None and raw["metadata"].get("deletionTimestamp"):
            raw["spec"] = {"finalizers": []}
            assert self.send("PUT", f"{path}/finalize", raw) == 200

    def wait(self, holds: Callable[[], object], told: str | Callable[[], object] = "") -> None:
        """Until it does; `told` is said if it does not."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"in vain: {told() if callable(told) else told}")
            time.sleep(0.05)


class Controller:
    """`mca controller`, one replica, with the account and the rights that are installed.

    One that is always killed (`measured=False`) would write no coverage, and starts sooner without.
    """

    def __init__(
        self, home: Home, folder: Path, server: str = "", *, measured: bool = True
    ) -> None:
        self._home = home
        self._folder = folder
        plane = home.plane
        cluster: Raw = {"server": server or plane.url}
        if not server:
            cluster["certificate-authority"] = str(plane.authority.file)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "home",
                    "contexts": [{"name": "home", "context": {"cluster": "home", "user": "mca"}}],
                    "clusters": [{"name": "home", "cluster": cluster}],
                    "users": [
                        {"name": "mca", "user": {"token": plane.token(SYSTEM, "mca-controller")}}
                    ],
                }
            )
        )
        pair = plane.authority.issue_server("mca-broker", ["mca-broker.mca-system.svc"])
        self._environment = {
            **{key: text for key, text in os.environ.items() if not key.startswith("MCA_")},
            "KUBECONFIG": str(kubeconfig),
            "MCA_CONTROLLER_CERTIFICATES": "files",
            "MCA_CONTROLLER_CERT": str(pair.certificate),
            "MCA_CONTROLLER_KEY": str(pair.key),
            "MCA_CONTROLLER_CA": str(plane.authority.file),
            # As a container that is started again in its pod.
            "MCA_CONTROLLER_IDENTITY": "replica",
            "MCA_CONTROLLER_DRAIN": "0",
        }
        self._environment.pop("KUBERNETES_SERVICE_HOST", None)
        if not measured:
            for key in [key for key in self._environment if key.startswith("COVERAGE_")]:
                del self._environment[key]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Its log goes into a file."""
        environment = {
            **self._environment, "MCA_CONTROLLER_LISTEN": f"127.0.0.1:{choose_port()}"
        }  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [MCA, "controller"], env=environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """As by `kill -9`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """As Kubernetes does."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def log(self) -> str:
        """What it has told."""
        return (self._folder / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
