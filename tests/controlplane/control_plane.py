"""One real control plane: etcd and kube-apiserver on 127.0.0.1, kube-controller-manager when asked.

Owns their flags, their order and the admin's ways in. Must not import pytest: the demo and the
benchmark start it too.
"""

import atexit
import base64
import csv
import http.client
import json
import os
import random
import secrets
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane.access import Access, render_kubeconfig
from tests.controlplane.audit_log import AuditLog
from tests.controlplane.binaries import find_binary
from tests.controlplane.certificates import Authority, write_signing_key
from tests.controlplane.folders import PrivateFolder
from tests.controlplane.processes import ServerProcess

ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVER_NAMES = (
    "127.0.0.1", "::1", "localhost", "10.0.0.1", "kubernetes", "kubernetes.default",
    "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
)  # fmt: skip
READY_TIMEOUT_S = 90.0
PORT_ATTEMPTS = 5
# Below the range for outgoing connections, where a free port may be taken a moment later.
PORTS = range(20000, 32000)
# The latest that were chosen here: who has one may not have bound it yet.
_chosen: deque[int] = deque(maxlen=len(PORTS) // 4)


class ControlPlane(Access):
    """`with ControlPlane() as plane:` — started on entry, gone with all its traces on exit.

    `flags` are kube-apiserver's own, without dashes (`{"watch-cache": "false"}`); they win over
    ours. `features` are feature gates. `audit_policy` replaces the policy's rules. `users` maps
    further static users to their groups; `admin` (may do all) and `nobody` (may do nothing beyond
    what RBAC grants everyone) are always there, with their bearer tokens in `tokens`.
    """

    def __init__(
        self,
        *,
        flags: Mapping[str, str] | None = None,
        features: Mapping[str, bool] | None = None,
        audit_policy: Sequence[Mapping[str, Any]] = ({"level": "Metadata"},),
        users: Mapping[str, Sequence[str]] | None = None,
        controller_manager: bool = False,
    ) -> None:
        self._flags = dict(flags or {})
        self._features = dict(features or {})
        self._audit_policy = list(audit_policy)
        groups = {"admin": ["system:masters"], "nobody": [], **(users or {})}
        self._user_groups = {user: list(of_user) for user, of_user in groups.items()}
        self.tokens = {user: secrets.token_hex(16) for user in groups}
        self._with_controller_manager = controller_manager
        self._etcd: ServerProcess | None = None
        self._api_server: ServerProcess | None = None
        self._controller_manager: ServerProcess | None = None
        self._holder: PrivateFolder | None = None
        self.port = 0

    # Life

    def start(self) -> Self:
        """Start everything; returns when the API server says it is ready, after about 4 s."""
        binaries = {name: find_binary(name) for name in ("etcd", "kube-apiserver", "kubectl")}
        if self._with_controller_manager:
            binaries["kube-controller-manager"] = find_binary("kube-controller-manager")
        self._binaries = binaries
        self._holder = PrivateFolder()
        atexit.register(self.stop)
        try:
            self._prepare(self._holder.path)
            self._start_etcd()
            self.start_api_server()
            if self._with_controller_manager:
                self._start_controller_manager()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything at once and remove every file. A second call does nothing."""
        for process in (self._controller_manager, self._api_server, self._etcd):
            if process is not None:
                process.kill()
        self._controller_manager = self._api_server = self._etcd = None
        if self._holder is not None:
            self._holder.remove()
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_api_server(self) -> None:
        """Start kube-apiserver, on the port it had before if it had one."""
        for attempt in range(PORT_ATTEMPTS):
            if attempt or not self.port:
                self.port = choose_port()
            self._api_server = self._spawn("kube-apiserver", self._api_server_flags())
            if self._wait_until_ready(self._api_server):
                self._write_kubeconfig()
                return
            if "address already in use" not in self._api_server.describe_end():
                raise RuntimeError(self._api_server.describe_end())
        raise RuntimeError("no free port was found for kube-apiserver")

    def kill_api_server(self) -> None:
        """As by `kill -9`: connections break. `start_api_server` brings it back."""
        if self._api_server is not None:
            self._api_server.kill()

    def stop_api_server(self, timeout_s: float = 60.0) -> None:
        """Ask it to end, as in an upgrade: it drains, for up to 60 s while watches are open."""
        if self._api_server is not None:
            self._api_server.terminate(timeout_s)

    def restart_api_server(self) -> None:
        """Kill it and start it again on its port."""
        self.kill_api_server()
        self.start_api_server()

    # Facts

    @property
    def folder(self) -> Path:
        """Its private folder."""
        if self._holder is None:
            raise RuntimeError("this control plane has not been started")
        return self._holder.path

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each server that runs."""
        servers = (self._etcd, self._api_server, self._controller_manager)
        return {server.name: server.pid for server in servers if server and server.is_running()}

    def api_server_log(self) -> str:
        """What kube-apiserver has printed."""
        return (self.folder / "kube-apiserver.log").read_text(errors="replace")

    # Faults

    def compact_etcd(self) -> int:
        """Make etcd forget old versions, so that old resourceVersions are answered with 410."""
        start = base64.b64encode(b"\0").decode()
        revision = int(self._ask_etcd("/v3/kv/range", {"key": start})["header"]["revision"])
        self._ask_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    def _ask_etcd(self, path: str, question: Mapping[str, Any]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._etcd_port, timeout=30)
        try:
            connection.request("POST", path, body=json.dumps(question))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise RuntimeError(f"etcd {path}: {response.status} {body.decode(errors='replace')}")
        return json.loads(body)

    # Start-up

    def _prepare(self, folder: Path) -> None:
        """Everything the servers read."""
        self.authority = Authority(folder, "control-plane")
        self._serving = self.authority.issue_server("kube-apiserver", SERVER_NAMES)
        self._kubelet_client = self.authority.issue_client("kube-apiserver", ["system:masters"])
        self._admin = self.authority.issue_client("kubernetes-admin", ["system:masters"])
        self._signing = write_signing_key(folder)
        users = folder / "users.csv"
        users.touch(mode=0o600)
        with users.open("w", newline="") as file:
            writer = csv.writer(file)
            for user, token in self.tokens.items():
                groups = self._user_groups[user]  # no column at all means no group; "" would be one
                writer.writerow([token, user, user, *([",".join(groups)] if groups else [])])
        policy = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": self._audit_policy,
        }
        (folder / "audit-policy.json").write_text(json.dumps(policy))
        self.audit = AuditLog(folder / "audit.jsonl")

    def _start_etcd(self) -> None:
        for _ in range(PORT_ATTEMPTS):
            self._etcd_port = choose_port()
            client = f"http://127.0.0.1:{self._etcd_port}"
            # Nothing is fsynced and no peer listens: this data lives as long as its process.
            flags = {
                "data-dir": str(self.folder / "etcd"),
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": "http://127.0.0.1:0",
                "unsafe-no-fsync": "true",
                "log-level": "warn",
            }
            self._etcd = self._spawn("etcd", flags)
            deadline = time.monotonic() + READY_TIMEOUT_S
            while self._etcd.is_running() and time.monotonic() < deadline:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self._etcd_port)) == 0:
                        return
                time.sleep(0.02)
            if "address already in use" not in self._etcd.describe_end():
                raise RuntimeError(self._etcd.describe_end())
        raise RuntimeError("no free port was found for etcd")

    def _api_server_flags(self) -> dict[str, str]:
        folder = self.folder
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": "127.0.0.1",
            "secure-port": str(self.port),
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",
            "service-cluster-ip-range": "10.0.0.0/24",
            "tls-cert-file": str(self._serving.certificate),
            "tls-private-key-file": str(self._serving.key),
            "client-ca-file": str(self.authority.file),
            "token-auth-file": str(folder / "users.csv"),
            "authorization-mode": "RBAC",
            "service-account-issuer": ISSUER,
            "service-account-key-file": str(self._signing.certificate),
            "service-account-signing-key-file": str(self._signing.key),
            "kubelet-client-certificate": str(self._kubelet_client.certificate),
            "kubelet-client-key": str(self._kubelet_client.key),
            "kubelet-certificate-authority": str(self.authority.file),
            "kubelet-preferred-address-types": "InternalIP",
            "allow-privileged": "true",
            "audit-policy-file": str(folder / "audit-policy.json"),
            "audit-log-path": str(folder / "audit.jsonl"),
            "audit-log-mode": "blocking",
            "audit-log-maxsize": "100000",
            "profiling": "false",
        }
        if not self._with_controller_manager:
            # Nobody makes the default service accounts that this plugin demands of every pod.
            flags["disable-admission-plugins"] = "ServiceAccount"
        if self._features:
            gates = (f"{name}={str(on).lower()}" for name, on in self._features.items())
            flags["feature-gates"] = ",".join(gates)
        return flags | self._flags

    def _start_controller_manager(self) -> None:
        flags = {
            "kubeconfig": str(self.admin_kubeconfig()),
            "root-ca-file": str(self.authority.file),
            "service-account-private-key-file": str(self._signing.key),
            "use-service-account-credentials": "false",
            "leader-elect": "false",
            "secure-port": "0",
            "kube-api-qps": "1000",
            "kube-api-burst": "1000",
            # It makes this folder, which is the machine's own unless told otherwise.
            "flex-volume-plugin-dir": str(self.folder / "volume-plugins"),
        }
        self._controller_manager = self._spawn("kube-controller-manager", flags)
        self._wait_for_default_account(self._controller_manager)

    def _wait_for_default_account(self, manager: ServerProcess) -> None:
        """It works when the first thing that every pod needs is there."""
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.request("GET", path).status != http.client.OK:
            if not manager.is_running() or time.monotonic() > deadline:
                raise RuntimeError(manager.describe_end())
            time.sleep(0.1)

    def _spawn(self, name: str, flags: Mapping[str, str]) -> ServerProcess:
        command = [str(self._binaries[name]), *(f"--{key}={text}" for key, text in flags.items())]
        environment = {"HOME": str(self.folder), "PATH": os.environ.get("PATH", "")}
        return ServerProcess(command, log=self.folder / f"{name}.log", environment=environment)

    def _wait_until_ready(self, server: ServerProcess) -> bool:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while server.is_running():
            try:
                if self.request("GET", "/readyz", timeout_s=5).status == http.client.OK:
                    return True
            except OSError:
                pass  # not listening yet
            if time.monotonic() > deadline:
                server.kill()
                raise RuntimeError(f"not ready in {READY_TIMEOUT_S:.0f} s: {server.describe_end()}")
            time.sleep(0.05)
        return False

    def _write_kubeconfig(self) -> None:
        text = render_kubeconfig(self.url, self.authority.file, self._admin)
        path = self.admin_kubeconfig()
        path.touch(mode=0o600)
        path.write_text(text)


def choose_port() -> int:
    """A port of 127.0.0.1 that is free now, and that was not chosen a moment ago.

    Another process may take it: whoever binds it must be ready to choose again.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        if port in _chosen:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _chosen.append(port)
            return port
