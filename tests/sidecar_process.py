"""A real sidecar as a process of its own, for tests: `python -m sidecar` on free loopback ports.

Owns its folder, its environment, its life and the reading of its output. Must not import pytest
nor anything of `sidecar`: what is tested is the process, by its contract.
"""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane import ControlPlane
from tests.controlplane.calls import Answer, run_kubectl, send_call
from tests.controlplane.certificates import Pair
from tests.controlplane.control_plane import choose_port

ROOT = Path(__file__).resolve().parents[1]
READY_TIMEOUT_S = 30.0
OWN_NAMESPACE = "mca-tests"
OWN_ACCOUNT = "sidecar"
# Does what a test wants of the process (limits, cgroup, user), ties its life to ours, becomes it.
# In this order: a change of user takes the tie off.
LAUNCHER = """
import ctypes, os, resource, sys
{before}
ctypes.CDLL(None, use_errno=True).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
RawLine = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a snapshot says about a cluster; a `token` becomes a file as the kubelet mounts it.

    `health` and `limits` are the snapshot's own fields, left out where they are None.
    """

    server: str
    ca_pem: str
    token: str | None = None
    certificate: Pair | None = None
    tls_server_name: str | None = None
    health: Mapping[str, Any] | None = None
    limits: Mapping[str, int] | None = None


def cluster_of(plane: ControlPlane, *, certificate: bool = False) -> Cluster:
    """A control plane, reached by a service account that may do everything, or by a certificate.

    A token tells which audiences open the API server, a certificate does not: with the latter the
    sidecar refuses every TokenRequest.
    """
    if certificate:
        return Cluster(
            plane.url, plane.ca_pem, certificate=plane.authority.issue_client("mca", ADMINS)
        )
    plane.create_service_account(OWN_NAMESPACE, OWN_ACCOUNT, cluster_role="cluster-admin")
    return Cluster(plane.url, plane.ca_pem, token=plane.token(OWN_NAMESPACE, OWN_ACCOUNT))


ADMINS = ["system:masters"]
MEMBERS = ("home", "west", "east")
# What the first sidecar minted, given to the next ones: minting is most of the time of a start.
_identity: dict[str, bytes] = {}


class SidecarProcess:
    """`with SidecarProcess(plane) as sidecar:` - started and ready on entry, gone on exit.

    `cluster` is a control plane, a `Cluster`, several (home, west, east) with `rules` (`tenant`,
    `routes`), or None with a `snapshot` of one's own (bytes are written as they are); neither means
    that no MCA_SNAPSHOT is set. `env` wins over ours, with
    {port} and {admin_port} filled in, and None takes a variable away. `before` are Python
    statements for the process before it becomes the sidecar. `stdout` replaces the file that
    `audit_lines` reads. `mint` has it make an identity of its own; else it finds one, as a
    container that was restarted does.
    """

    def __init__(
        self,
        cluster: ControlPlane | Cluster | Sequence[Cluster] | None = None,
        *,
        snapshot: Mapping[str, Any] | bytes | None = None,
        env: Mapping[str, str | None] | None = None,
        containers: Sequence[str] = ("app",),
        namespace: str = "team-a",
        before: str = "",
        stdout: int | None = None,
        port: int = 0,
        mint: bool = False,
        arguments: Sequence[str] = (),
        rules: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mca-sidecar-"))
        self.folder.chmod(0o755)
        self.containers = tuple(containers)
        self.namespace = namespace
        self.port = port or choose_port()
        self.admin_port = choose_port()
        self.revision = 0
        self.before = before
        self._mint = mint
        self._arguments = list(arguments)
        self._stdout_fd = stdout
        self.env = dict(env or {})
        self._cluster: Cluster | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._position = 0
        self._lines: list[RawLine] = []
        self._has_snapshot = cluster is not None or snapshot is not None
        self.killed = False
        if isinstance(cluster, ControlPlane):
            cluster = cluster_of(cluster)
        if isinstance(cluster, Cluster):
            self.point_to(cluster)
        elif cluster is not None:
            self.point_to(*cluster, **rules or {})
        elif snapshot is not None:
            self.write_snapshot(snapshot)

    # What it reads

    @property
    def snapshot_path(self) -> Path:
        """The file that MCA_SNAPSHOT names."""
        return self.folder / "snapshot.json"

    @property
    def token_path(self) -> Path:
        """The home cluster's token file, behind a `..data` link as in a pod."""
        return self.token_path_of("home")

    def token_path_of(self, name: str) -> Path:
        """The token file of one cluster: each has its own."""
        return self.folder / ("credentials" if name == "home" else f"credentials-{name}") / "token"

    def write_snapshot(self, snapshot: Mapping[str, Any] | bytes) -> None:
        """Put a snapshot in place, as an atomic rename."""
        content = snapshot if isinstance(snapshot, bytes) else json.dumps(snapshot).encode()
        draft = self.folder / ".snapshot.json"
        draft.write_bytes(content)
        draft.rename(self.snapshot_path)

    def render_snapshot(self, *clusters: Cluster, **changes: Any) -> dict[str, Any]:
        """A snapshot document with a revision of its own; the first cluster is home."""
        self.revision += 1
        members = [
            self._render_member(name, cluster)
            for name, cluster in zip(MEMBERS, clusters, strict=False)
        ]
        document: dict[str, Any] = {
            "apiVersion": "mca.io/v1alpha1",
            "kind": "Snapshot",
            "version": 1,
            "revision": f"r{self.revision}",
            "namespace": self.namespace,
            "tenant": None,
            "clusters": members,
            "routes": [],
        }
        return document | changes

    def _render_member(self, name: str, cluster: Cluster) -> dict[str, Any]:
        if cluster.certificate is not None:
            pair = cluster.certificate
            credentials = {"certFile": str(pair.certificate), "keyFile": str(pair.key)}
        else:
            credentials = {"tokenFile": str(self.token_path_of(name))}
        member: dict[str, Any] = {
            "name": name,
            "server": cluster.server,
            "caBundle": base64.b64encode(cluster.ca_pem.encode()).decode(),
            "tlsServerName": cluster.tls_server_name,
            "credentials": credentials,
        }
        if cluster.health is not None:
            member["healthCheck"] = dict(cluster.health)
        if cluster.limits is not None:
            member["limits"] = dict(cluster.limits)
        return member

    def point_to(self, *clusters: Cluster, **changes: Any) -> None:
        """Write the snapshot, and the tokens if there are any, for these clusters."""
        self._cluster = clusters[0]
        for name, cluster in zip(MEMBERS, clusters, strict=False):
            if cluster.token is not None:
                self.write_token(cluster.token, name)
        self.write_snapshot(self.render_snapshot(*clusters, **changes))

    def write_token(self, token: str, name: str = "home") -> None:
        """Swap a token as the kubelet does: a new folder, and the `..data` link renamed to it."""
        swap_data(self.token_path_of(name).parent, {"token": token.encode()})

    # Life

    def environment(self) -> dict[str, str]:
        """All that the process is told."""
        told: dict[str, str | None] = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "MCA_API_LISTEN": f"127.0.0.1:{self.port}",
            "MCA_ADMIN_LISTEN": f"127.0.0.1:{self.admin_port}",
            "MCA_IDENTITY_DIR": str(self.identity_folder),
            "MCA_CLIENTS_DIR": str(self.folder / "clients"),
            "MCA_CONTAINERS": ",".join(self.containers),
            "MCA_NAMESPACE": self.namespace,
            "MCA_POD": "app-0",
            "MCA_SERVICE_ACCOUNT": "default",
        }
        if self._has_snapshot:
            told["MCA_SNAPSHOT"] = str(self.snapshot_path)
        told |= {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
        for name, text in self.env.items():
            told[name] = text and text.replace("{port}", str(self.port)).replace(
                "{admin_port}", str(self.admin_port)
            )
        return {name: text for name, text in told.items() if text is not None}

    def spawn(self) -> Self:
        """Start the process and wait for nothing."""
        if _identity and not self._mint and not self.identity_folder.exists():
            self.identity_folder.mkdir(mode=0o700)
            for name, content in _identity.items():
                (self.identity_folder / name).touch(mode=0o600)
                (self.identity_folder / name).write_bytes(content)
        command = [sys.executable, "-m", "sidecar", *self._arguments]
        launcher = LAUNCHER.format(before=self.before)
        with self.stdout_path.open("ab") as out, self.stderr_path.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", launcher, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=out if self._stdout_fd is None else self._stdout_fd,
                stderr=errors,
                env=self.environment(),
                cwd=ROOT,
                process_group=0,
            )
        return self

    def start(self) -> Self:
        """Start it and wait until it says that it is ready."""
        self.spawn()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        if not _identity and not self._mint:
            _identity.update(
                (path.name, path.read_bytes()) for path in self.identity_folder.iterdir()
            )
        return self

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S, *, path: str = "/readyz") -> None:
        """Return when the admin port answers 200; `/livez` for one that is not to get ready."""
        deadline = time.monotonic() + timeout_s
        answered = "nothing"
        while True:
            if self.exit_code is not None:
                raise RuntimeError(f"the sidecar ended with {self.exit_code}: {self.output()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.ask_admin(path)
                if answer.status == http.client.OK:
                    return
                answered = answer.body.decode(errors="replace")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} answered {answered}; output: {self.output()}")
            time.sleep(0.01)

    def stop(self, timeout_s: float = 10.0) -> int:
        """End it in good order, at once: the second signal waits for nobody. Its exit code."""
        process = self.process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it and its group as by `kill -9`."""
        if self._process is not None and self._process.poll() is None:
            self.killed = True
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(timeout_s)

    def remove(self) -> None:
        """Kill what runs and remove every file."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._process is not None and self.exit_code is None:
                self.stop()
        finally:
            self.remove()

    # Facts

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process."""
        if self._process is None:
            raise RuntimeError("this sidecar has not been started")
        return self._process

    @property
    def pid(self) -> int:
        """The sidecar's process id: the launcher turned into it."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def api(self) -> tuple[str, int]:
        """Where the application's API is."""
        return "127.0.0.1", self.port

    @property
    def admin(self) -> tuple[str, int]:
        """Where /livez, /readyz and /metrics are."""
        return "127.0.0.1", self.admin_port

    @property
    def url(self) -> str:
        """Where the application's API is, as a URL."""
        return f"https://127.0.0.1:{self.port}"

    def rss_bytes(self) -> int:
        """What it has in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def count_fds(self) -> int:
        """How many descriptors it holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # What clients get

    def client_folder(self, container: str = "app") -> Path:
        """`token`, `ca.crt` and `namespace`: what stands in a pod at
        /var/run/secrets/kubernetes.io/serviceaccount."""
        return self.folder / "clients" / container

    def token(self, container: str = "app") -> str:
        """The token that the sidecar gave to a container."""
        return (self.client_folder(container) / "token").read_text()

    @property
    def identity_folder(self) -> Path:
        """The sidecar's own, unless MCA_IDENTITY_DIR is told otherwise."""
        return self.folder / "identity"

    @property
    def ca_file(self) -> Path:
        """The CA of its certificate."""
        return self.client_folder(self.containers[0]) / "ca.crt"

    @property
    def ca_pem(self) -> str:
        """The CA of its certificate."""
        return self.ca_file.read_text()

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this sidecar only."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def in_cluster_env(self) -> dict[str, str]:
        """The variables that in-cluster clients look for."""
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self.port),
        }

    def kubeconfig(self, container: str = "app") -> Path:
        """A kubeconfig of one container."""
        path = self.folder / f"{container}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        context = {"cluster": "mca", "user": container, "namespace": self.namespace}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "mca",
            "contexts": [{"name": "mca", "context": context}],
            "clusters": [{"name": "mca", "cluster": cluster}],
            "users": [{"name": container, "user": {"token": self.token(container)}}],
        }
        path.write_text(json.dumps(document))
        return path

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        check: bool = True,
        timeout_s: float = 60.0,
        container: str = "app",
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl through the sidecar; an error shows what it printed."""
        return run_kubectl(
            self.kubeconfig(container),
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
        """One call through the sidecar on a connection of its own; `""` sends no token."""
        bearer = self.token(self.containers[0]) if token is None else token
        return send_call(
            self.api,
            self.trust(),
            bearer,
            (method, path, body),
            headers=headers,
            timeout_s=timeout_s,
        )

    def ask_admin(self, path: str, timeout_s: float = 5.0) -> Answer:
        """GET from the admin port."""
        connection = http.client.HTTPConnection(*self.admin, timeout=timeout_s)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of this name that carry these labels."""
        total = 0.0
        for line in self.ask_admin("/metrics").body.decode().splitlines():
            series, _, number = line.rpartition(" ")
            if series.partition("{")[0] == name and all(
                f'{label}="{text}"' in series for label, text in labels.items()
            ):
                total += float(number)
        return total

    # What it says

    @property
    def stdout_path(self) -> Path:
        """Audit and log lines."""
        return self.folder / "stdout.jsonl"

    @property
    def stderr_path(self) -> Path:
        """Errors of configuration; anything else here is a defect."""
        return self.folder / "stderr.txt"

    def stderr(self) -> str:
        """All that came on stderr so far."""
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def output(self) -> str:
        """The end of all it said, for messages."""
        said = self.stdout_path.read_text(errors="replace") if self.stdout_path.exists() else ""
        return f"{said[-3000:]}{self.stderr()[-3000:]}"

    def lines(self) -> list[RawLine]:
        """Every line of stdout so far, parsed; a line that is not JSON raises."""
        with self.stdout_path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._position += whole
        self._lines += [json.loads(line) for line in data[:whole].splitlines()]
        return self._lines

    def audit_lines(self) -> list[RawLine]:
        """The audit lines so far."""
        return [line for line in self.lines() if line["type"] == "audit"]

    def events(self, event: str | None = None) -> list[RawLine]:
        """The log lines so far, all or those of one event."""
        logged = (line for line in self.lines() if line["type"] == "log")
        return [line for line in logged if event in (None, line["event"])]

    def wait_for_audit(self, ids: Collection[str], timeout_s: float = 10.0) -> dict[str, RawLine]:
        """The audit line of each decision id; they are written within a flush interval."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = {line["id"]: line for line in self.audit_lines() if line["id"] in ids}
            if len(found) == len(set(ids)):
                return found
            if time.monotonic() > deadline:
                missing = set(ids) - set(found)
                raise TimeoutError(f"{len(missing)} audit lines did not come: {min(missing)}")
            time.sleep(0.02)

    def wait_for_event(self, event: str, timeout_s: float = 10.0) -> RawLine:
        """The first log line of this event."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.events(event)):
            if time.monotonic() > deadline or self.exit_code is not None:
                raise TimeoutError(f"no log line {event}: {self.output()}")
            time.sleep(0.02)
        return found[0]


def swap_data(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files as the kubelet's atomic writer: a folder of its own behind the `..data` link."""
    folder.mkdir(exist_ok=True)
    number = len(list(folder.glob("..20*")))
    fresh = folder / f"..20{number:06d}"
    fresh.mkdir()
    for name, content in files.items():
        (fresh / name).write_bytes(content)
    draft = folder / "..data_tmp"
    draft.symlink_to(fresh.name)
    draft.rename(folder / "..data")
    for name in files:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
