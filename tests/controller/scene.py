"""A home cluster with MCA's objects in it, controllers as processes, sidecars as in pods.

Owns what an installation puts there, processes with the rights of the controller's account, and
sidecars in pinned mode. Must not judge anything, nor start what outlives the test, nor import
pytest: the benchmark has such a home too.
"""

import base64
import hashlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import choose_port
from tests.sidecar_process import LAUNCHER, ROOT, SidecarProcess, swap_data
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

T = TypeVar("T")
MCA = str(Path(sys.executable).parent / "mca")
IMAGE = f"registry.example/mca@sha256:{'a' * 64}"
RawObject = dict[str, Any]
NAMESPACE = "mca-system"
ACCOUNT = "mca-controller"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/mca-controller"
API = "mca.io/v1alpha1"
# They are of no use where nothing runs pods, or would call a webhook that is not there.
LEFT_OUT = frozenset(
    {
        "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy",
        "MutatingWebhookConfiguration",
    }
)  # fmt: skip
GUARDS = frozenset({"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})


def poll(
    ask: Callable[[], T | None],
    timeout_s: float = 20.0,
    told: str | Callable[[], object] = "it did not come",
) -> T:
    """What is found as soon as there is something."""
    deadline = time.monotonic() + timeout_s
    while not (found := ask()):
        assert time.monotonic() < deadline, told() if callable(told) else told
        time.sleep(0.01)
    return found


class ControllerProcess:
    """One replica; gone with whoever started it."""

    def __init__(self, home: "Home", **environment: str) -> None:
        self.home = home
        self.port = choose_port()
        self.address = f"https://127.0.0.1:{self.port}"
        self._path = home.folder / f"controller-{self.port}.log"
        kubeconfig = home.folder / f"controller-{self.port}.kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(render_kubeconfig(home.plane, home.token))
        coverage = {key: text for key, text in os.environ.items() if key.startswith("COVERAGE_")}
        self._log = self._path.open("w")
        command = [sys.executable, "-I", "-S", "-c", LAUNCHER.format(before=""), str(os.getpid())]
        self.process = subprocess.Popen(
            [*command, MCA, "controller"],
            env={
                "PATH": os.environ["PATH"],
                **coverage,
                "KUBECONFIG": str(kubeconfig),
                "MCA_CONTROLLER_LISTEN": f"127.0.0.1:{self.port}",
                "MCA_CONTROLLER_ADDRESS": self.address,
                "MCA_CONTROLLER_CERTIFICATES": "files",
                "MCA_CONTROLLER_CERT": str(home.serving.certificate),
                "MCA_CONTROLLER_KEY": str(home.serving.key),
                "MCA_CONTROLLER_CA": str(home.plane.authority.file),
                "MCA_CONTROLLER_SIDECAR_IMAGES": IMAGE,
                "MCA_CONTROLLER_DRAIN": "0",
                "MCA_CONTROLLER_LEASE_SECONDS": "3",
                **environment,
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )

    def log(self) -> str:
        """What it has printed."""
        return self._path.read_text()

    def events(self, name: str) -> list[RawObject]:
        """Its log's lines about one thing."""
        found = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == name]

    def ask(self, path: str) -> tuple[int, str]:
        """GET, as a probe or a scrape."""
        trust = ssl.create_default_context(cadata=self.home.plane.ca_pem)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=trust, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of this name that carry these labels."""
        total = 0.0
        for line in self.ask("/metrics")[1].splitlines():
            series, _, number = line.rpartition(" ")
            if series.partition("{")[0] == name and all(
                f'{label}="{text}"' in series for label, text in labels.items()
            ):
                total += float(number)
        return total

    def is_ready(self) -> bool:
        """As the kubelet sees it."""
        assert self.process.poll() is None, self.log()
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False

    def leads(self) -> bool:
        """Whether it says that it holds the Lease."""
        return self.is_ready() and self.metric("mca_controller_leads") == 1

    def wait_ready(self, timeout_s: float = 30.0) -> "ControllerProcess":
        """Until it has read everything."""
        self._wait(self.is_ready, timeout_s)
        return self

    def wait_leads(self, timeout_s: float = 30.0) -> "ControllerProcess":
        """Until it writes."""
        self._wait(self.leads, timeout_s)
        return self

    def _wait(self, met: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not met():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def rss_bytes(self) -> int:
        """What it has in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """What it has used of the processors."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """As by `kill -9`."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, as a rollout does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """For whoever tidies up."""
        if self.process.poll() is None and self.stop() != 0:
            raise AssertionError(self.log())
        self._log.close()


class Home:
    """One control plane with what `mca install` puts there for the controller."""

    def __init__(self, plane: ControlPlane, folder: Path, *, guards: bool = False) -> None:
        self.plane = plane
        self.folder = folder
        self._started: list[ControllerProcess | SidecarProcess] = []
        self.install(guards=guards)
        self.serving = plane.authority.issue_server(
            "broker", ("127.0.0.1", "localhost", "mca-broker.mca-system.svc")
        )
        self.token = plane.token(NAMESPACE, ACCOUNT, seconds=86_400)

    def install(self, *, guards: bool) -> None:
        """Definitions first, and everything else when they are served."""
        settings = InstallSettings(
            sidecar_image=IMAGE, control_image=IMAGE, profile_namespaces=("fleet",)
        )
        objects = [each for each in build_objects(settings) if each["kind"] not in LEFT_OUT]
        first = [each for each in objects if each["kind"] == "CustomResourceDefinition"]
        rest = [each for each in objects if guards or each["kind"] not in GUARDS]
        self.apply(*first)
        for definition in first:
            plural = definition["spec"]["names"]["plural"]
            poll(lambda plural=plural: self._serves(f"/apis/{API}/{plural}"))  # type: ignore[misc]
        self.apply(*(each for each in rest if each not in first))

    def _serves(self, path: str) -> bool:
        return self.plane.request("GET", path).status == http.client.OK

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """As `kubectl apply --server-side` does, all at once."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.plane.kubectl(
            "apply", "--server-side", "--force-conflicts", "--field-manager=mca",
            "--validate=false", "-f", "-",
            input=json.dumps(listed),
        )  # fmt: skip

    def controller(self, **environment: str) -> ControllerProcess:
        """One more replica."""
        process = ControllerProcess(self, **environment)
        self._started.append(process)
        return process

    def sidecar(
        self,
        namespace: str,
        account: str = "default",
        *,
        members: Sequence[tuple[str, ControlPlane, str]] = (),
        broker: str = "",
        **environment: str,
    ) -> SidecarProcess:
        """As in an injected pod; `members` are name, plane and token. It is not started."""
        self.plane.create_service_account(namespace, account)
        process = SidecarProcess(namespace=namespace)
        self._started.append(process)
        folder = process.folder
        content = {
            "token": self.plane.token(namespace, account).encode(),
            "ca.crt": self.plane.ca_pem.encode(),
            "namespace": namespace.encode(),
        }
        swap_data(folder / "account", content)
        (folder / "members").mkdir()
        for name, _, token in members:
            swap_data(folder / "members" / name, {"token": token.encode()})
        pins = [
            {"name": name, "server": plane.url, "ca": digest(plane.ca_pem)}
            for name, plane, _ in members
        ]
        process.env |= {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.plane.port),
            "MCA_SERVICE_ACCOUNT": account,
            "MCA_SERVICE_ACCOUNT_DIR": str(folder / "account"),
            "MCA_SNAPSHOT": str(folder / "policy" / "snapshot.v1.json"),
            "MCA_SNAPSHOT_WATCH": "mca-policy",
            "MCA_MEMBERS": json.dumps(pins),
            "MCA_MEMBERS_DIR": str(folder / "members"),
            **environment,
        }
        if broker:
            process.env |= {
                "MCA_BROKER": broker,
                "MCA_BROKER_TOKEN": str(folder / "broker" / "token"),
            }
        return process

    def policy(self, namespace: str) -> RawObject | None:
        """The snapshot that the controller has put there."""
        path = f"/api/v1/namespaces/{namespace}/configmaps/mca-policy"
        answer = self.plane.request("GET", path)
        if answer.status != http.client.OK:
            return None
        found: RawObject = json.loads(answer.json()["data"]["snapshot.v1.json"])
        return found

    def condition(self, path: str, kind: str) -> RawObject:
        """A condition of an object's status; empty if it is not there."""
        answer = self.plane.request("GET", path)
        status = answer.json().get("status") or {} if answer.status == http.client.OK else {}
        found = [each for each in status.get("conditions") or () if each["type"] == kind]
        return found[0] if found else {}

    def end(self) -> None:
        """Stop all that runs."""
        for process in reversed(self._started):
            if isinstance(process, ControllerProcess):
                process.end()
            else:
                process.remove()


def namespace_of(name: str, tenant: str = "", **labels: str) -> RawObject:
    """A namespace, labelled for injection and for its tenant."""
    stated = {"mca.io/injection": "enabled"} | {
        f"mca.io/{key}": text for key, text in labels.items()
    }
    if tenant:
        stated["mca.io/tenant"] = tenant
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": stated}}


def tenant_of(name: str, *namespaces: str, **spec: Any) -> RawObject:
    """A Tenant that may do all in these namespaces, without an enforced boundary."""
    usual: RawObject = {
        "namespaces": {"names": list(namespaces)},
        "boundary": "none",
        "permissions": [
            {
                "name": "all", "effect": "allow", "verbs": ["*"], "groups": ["*"],
                "resources": ["*"],
            }
        ],
    }  # fmt: skip
    metadata = {"name": name}
    return {"apiVersion": API, "kind": "Tenant", "metadata": metadata, "spec": usual | spec}


def cluster_of(name: str, plane: ControlPlane, **credentials: Any) -> RawObject:
    """A Cluster; a projected token with an audience of its own is what it is shown."""
    bundle = base64.b64encode(plane.ca_pem.encode()).decode()
    return {
        "apiVersion": API,
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {
            "server": plane.url,
            "caBundle": bundle,
            "credentials": credentials or {"audience": {}},
        },
    }


def route_of(namespace: str, name: str, to: str, *matches: Mapping[str, Any]) -> RawObject:
    """A Route to one member; what it matches are objects of the core group, if not said."""
    match = [{"groups": [""], "resources": ["configmaps"], **each} for each in matches or ({},)]
    return {
        "apiVersion": API,
        "kind": "Route",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"match": match, "to": {"members": [{"cluster": to}]}},
    }


def render_kubeconfig(plane: ControlPlane, token: str) -> str:
    """For an account of the cluster (JSON is YAML)."""
    cluster = {"server": plane.url, "certificate-authority": str(plane.authority.file)}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "home",
            "contexts": [{"name": "home", "context": {"cluster": "home", "user": "controller"}}],
            "clusters": [{"name": "home", "cluster": cluster}],
            "users": [{"name": "controller", "user": {"token": token}}],
        }
    )


def digest(pem: str) -> str:
    """By which a pod knows a CA."""
    return hashlib.sha256(pem.encode()).hexdigest()
