"""One real node: a control plane, containerd, kubelet, scheduler and kube-proxy.

Owns their order, when the node counts as ready, and their restarts. Must run inside
tests.node.world, and must not import pytest.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane import ControlPlane, ServerProcess, find_binary, render_kubeconfig
from tests.node.configuration import (
    ADDRESS,
    BRIDGE,
    NODE_NAME,
    POD_NETWORK,
    SERVICE_NETWORK,
    SOCKET,
    Credentials,
    write_documents,
)
from tests.node.host import SEARCH
from tests.node.images import build_pause
from tests.node.power import clear_what_ran
from tests.node.world import find_cgroup, is_inside

READY_TIMEOUT_S = 90.0
POD_TIMEOUT_S = 120.0
RESTART_PAUSE_S = 1.0
# What is on the node itself, in the order of its boot.
ON_THE_NODE = ("containerd", "kubelet", "kube-proxy")


class Node:
    """`with Node() as node:` — Ready on entry; `node.plane` is its control plane."""

    def __init__(self) -> None:
        if not is_inside():
            raise RuntimeError("a node runs in namespaces of its own: use `python -m tests.node`")
        self.plane = ControlPlane(
            controller_manager=True,
            flags={
                "bind-address": "0.0.0.0",
                "advertise-address": ADDRESS,
                "endpoint-reconciler-type": "lease",
                "authorization-mode": "Node,RBAC",
                "enable-admission-plugins": "NodeRestriction",
                # Where others find its keys: its certificate has no name for the node's address.
                "service-account-jwks-uri": "https://10.0.0.1/openid/v1/jwks",
            },
        )
        self._servers: dict[str, ServerProcess] = {}
        self._arguments: dict[str, tuple[str, ...]] = {}

    def start(self) -> Self:
        """Start everything; returns when a pod could be scheduled."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the servers. Containers and mounts end with the namespaces around us."""
        for server in reversed(self._servers.values()):
            server.kill()
        self._servers.clear()
        self.plane.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Its private folder, with the logs of its parts."""
        return self.plane.folder / "node"

    # Start-up

    def _start(self) -> None:
        _say("starting the control plane")
        _make_bridge()
        self.plane.start()
        self.folder.mkdir()
        credentials = self._issue_credentials()
        files = write_documents(self.folder, credentials, find_cgroup())
        _say("starting containerd")
        self._spawn("containerd", "--config", str(files.containerd))
        self._wait(self._answers, "containerd")
        self.import_image(build_pause())
        _say("starting kubelet, scheduler and kube-proxy")
        self._spawn(
            "kubelet",
            f"--config={files.kubelet}",
            f"--kubeconfig={self._kubeconfig(f'system:node:{NODE_NAME}', ['system:nodes'])}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={ADDRESS}",
        )
        scheduler = self._kubeconfig("system:kube-scheduler")
        self._spawn(
            "kube-scheduler",
            f"--kubeconfig={scheduler}",
            "--leader-elect=false",
            "--secure-port=0",
        )
        self._spawn("kube-proxy", f"--config={files.proxy}")
        self._wait(self._is_ready, "a Ready node")

    def _issue_credentials(self) -> Credentials:
        serving = self.plane.authority.issue_server("kubelet", [ADDRESS, NODE_NAME])
        return Credentials(
            self.plane.authority.file,
            serving.certificate,
            serving.key,
            self._kubeconfig("system:kube-proxy"),
        )

    def _kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        path = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        client = self.plane.authority.issue_client(user, groups)
        path.write_text(render_kubeconfig(self.plane.url, self.plane.authority.file, client))
        return path

    def _spawn(self, name: str, *arguments: str) -> None:
        shim = find_binary("containerd-shim-runc-v2")
        environment = {"HOME": str(self.folder), "PATH": f"{shim.parent}:{SEARCH}"}
        command = [str(find_binary(name)), *arguments]
        log = self.folder / f"{name}.log"
        self._arguments[name] = arguments
        self._servers[name] = ServerProcess(command, log=log, environment=environment)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not condition():
            self.check_servers()
            if time.monotonic() > deadline:
                logs = "\n".join(server.describe_end() for server in self._servers.values())
                raise TimeoutError(f"{what} took longer than {READY_TIMEOUT_S:.0f} s\n{logs}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Containerd's socket is there before anybody listens to it."""
        if not Path(SOCKET).is_socket():
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(SOCKET) == 0

    def _is_ready(self) -> bool:
        return self._told_ready_since(datetime.fromtimestamp(0, UTC))

    def _told_ready_since(self, moment: datetime) -> bool:
        answer = self.plane.request("GET", f"/api/v1/nodes/{NODE_NAME}")
        if answer.status != http.client.OK:
            return False
        node = answer.json()
        conditions = {each["type"]: each for each in node["status"].get("conditions", ())}
        ready = conditions.get("Ready")
        if ready is None or ready["status"] != "True" or node["spec"].get("taints"):
            return False
        return datetime.fromisoformat(ready["lastHeartbeatTime"]) >= moment

    # Use

    def check_servers(self) -> None:
        """Say which of them has ended by itself, and what its last words were."""
        for server in self._servers.values():
            if not server.is_running():
                raise RuntimeError(server.describe_end())

    def restart(self, *names: str) -> None:
        """End some of its servers as by `kill -9` and start them again; pods go on meanwhile."""
        for name in names:
            self._servers[name].kill()
        self._boot(names)

    def cut_power(self) -> None:
        """All that runs on the node ends at once, and it starts again with what its disk holds."""
        for name in reversed(ON_THE_NODE):
            self._servers[name].kill()
        clear_what_ran()
        self._boot(ON_THE_NODE)

    def _boot(self, names: Sequence[str]) -> None:
        """As an init system does it: a server that ends while another is not there yet is started
        again. The kubelet does so until containerd has taken up all containers it finds.
        """
        # The API server tells whole seconds.
        began = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for name in names:
            self._spawn(name, *self._arguments[name])
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._told_ready_since(began):
            for name in names:
                if not self._servers[name].is_running():
                    _say(f"{name} ended and is started again")
                    self._spawn(name, *self._arguments[name])
            if time.monotonic() > deadline:
                logs = "\n".join(self._servers[name].describe_end() for name in names)
                raise TimeoutError(f"not Ready in {READY_TIMEOUT_S:.0f} s\n{logs}")
            time.sleep(RESTART_PAUSE_S)

    def ctr(self, *arguments: str) -> str:
        """Run `ctr` in the namespace of the kubelet's images and containers."""
        done = subprocess.run(
            [str(find_binary("ctr")), "-n", "k8s.io", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"ctr {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def import_image(self, archive: Path) -> None:
        """Make the image known under the name that stands in its archive."""
        self.ctr("images", "import", str(archive))

    def wait_for_pod(self, namespace: str, name: str, phase: str = "Running") -> Any:
        """The pod, once it is Running with all containers ready, or has ended as asked."""
        deadline = time.monotonic() + POD_TIMEOUT_S
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        while True:
            self.check_servers()
            pod = self.plane.request("GET", path).json()
            status = pod.get("status", {})
            if status.get("phase") == phase and (phase != "Running" or _all_ready(status)):
                return pod
            ended = {"Failed", "Succeeded"} - {phase}
            if status.get("phase") in ended or time.monotonic() > deadline:
                raise RuntimeError(f"pod {namespace}/{name} is not {phase}: {self.explain(pod)}")
            time.sleep(0.2)

    def explain(self, pod: Any) -> str:
        """The pod's status, its events and the output of its containers."""
        of = pod["metadata"]
        shown = [str(pod.get("status"))]
        shown.append(self.plane.kubectl("events", "-n", of["namespace"], check=False).stdout)
        for options in (("--all-containers",), ("--all-containers", "--previous")):
            logs = self.plane.kubectl(
                "logs", "-n", of["namespace"], of["name"], *options, check=False
            )
            shown.append(logs.stdout + logs.stderr)
        return "\n".join(shown)


def _all_ready(status: Any) -> bool:
    return all(container["ready"] for container in status.get("containerStatuses", ()))


def _make_bridge() -> None:
    """Before any pod needs it: the API server is advertised on its address."""
    length = POD_NETWORK.partition("/")[2]
    for command in (
        ("link", "add", BRIDGE, "type", "bridge"),
        ("addr", "add", f"{ADDRESS}/{length}", "dev", BRIDGE),
        ("link", "set", BRIDGE, "up"),
        # The API server calls webhooks by their Service: whatever is sent there meets kube-proxy.
        ("route", "add", SERVICE_NETWORK, "dev", BRIDGE),
    ):
        subprocess.run(
            ["ip", *command], check=True, env={**os.environ, "PATH": SEARCH}, capture_output=True
        )
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
