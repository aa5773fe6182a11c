"""What the clients find: a control plane with a node that answers, and two namespaces alike.

Owns the cluster's objects, and the two pods of a story: one that calls the API server with a real
service account token, one that holds nothing but what its sidecar gave it. Must not compare.
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.clients.builds import build_go
from tests.clients.pods import Pod, RawStep
from tests.controlplane import ControlPlane
from tests.sidecar_process import Cluster, SidecarProcess

ROLE = "clients-story"
ACCOUNT = "story"
NODE = "clients-node"
PATIENCE_S = 60.0
RULES: list[dict[str, Any]] = [
    {
        "apiGroups": ["", "apps", "batch", "events.k8s.io", "coordination.k8s.io"],
        "resources": [
            "configmaps", "deployments", "deployments/status", "deployments/scale", "events",
            "leases", "pods", "pods/exec", "pods/attach", "pods/portforward", "pods/log",
            "pods/status", "replicasets", "secrets", "services", "serviceaccounts", "jobs",
        ],
        "verbs": ["*"],
    },
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"],
        "resourceNames": ["system:node"],
        "verbs": ["get"],
    },
]  # fmt: skip


class Pair(NamedTuple):
    """The same story's two tellers."""

    direct: Pod
    meshed: Pod
    sidecar: SidecarProcess

    def both(self, work: Callable[[Pod], Any]) -> tuple[Any, Any]:
        """Do it in both pods, at the same time: most of a story is waiting."""
        with ThreadPoolExecutor(2) as pool:
            direct = pool.submit(work, self.direct)
            meshed = pool.submit(work, self.meshed)
            failures = [told for told in (direct.exception(), meshed.exception()) if told]
        if failures:
            failures[0].add_note(f"the sidecar said: {self.sidecar.output()}")
            raise BaseExceptionGroup("direct, or through the sidecar", failures)
        return direct.result(), meshed.result()


class Scene:
    """A control plane with a node on it. `with Scene(plane) as scene:`"""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self._node: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        self.plane.create(path, {"metadata": {"name": ROLE}, "rules": RULES})
        self._start_node()
        return self

    def __exit__(self, *_: object) -> None:
        if self._node is not None:
            self._node.kill()
            self._node.communicate()

    def _start_node(self) -> None:
        plane = self.plane
        pair = plane.authority.issue_server("clients-node", ("127.0.0.1",))
        files = (pair.certificate, pair.key, plane.authority.file)
        command = [str(build_go("node")), *map(str, files)]
        self._node = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._node.stdout is not None
        port = int(self._node.stdout.readline())
        plane.create("/api/v1/nodes", {"metadata": {"name": NODE}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        answer = plane.request(
            "PATCH",
            f"/api/v1/nodes/{NODE}/status",
            _encode({"status": status}),
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.status == 200, answer.body

    # Pods

    @contextlib.contextmanager
    def pair(self, name: str, *, env: Mapping[str, str] | None = None) -> Iterator[Pair]:
        """Two namespaces of equally long names, each with its pods, and who calls from them."""
        plane = self.plane
        direct_namespace, meshed_namespace = f"{name}-a", f"{name}-b"
        for namespace in (direct_namespace, meshed_namespace):
            plane.create_service_account(namespace, ACCOUNT, cluster_role=ROLE)
            self._create_pods(namespace)
        folder = Path(tempfile.mkdtemp(prefix="mca-clients-"))
        sidecar = SidecarProcess(
            Cluster(plane.url, plane.ca_pem, token=plane.token(meshed_namespace, ACCOUNT)),
            namespace=meshed_namespace,
            env={"MCA_SERVICE_ACCOUNT": ACCOUNT, **(env or {})},
        )
        try:
            files = {
                "token": plane.token(direct_namespace, ACCOUNT),
                "ca.crt": plane.ca_pem,
                "namespace": direct_namespace,
            }
            account, home = folder / "account", folder / "home"
            account.mkdir()
            home.mkdir()
            for file, text in files.items():
                (account / file).write_text(text)
            with sidecar:
                yield Pair(
                    Pod(account, plane.port, home),
                    Pod(sidecar.client_folder(), sidecar.port, home),
                    sidecar,
                )
        finally:
            sidecar.remove()
            shutil.rmtree(folder, ignore_errors=True)

    def _create_pods(self, namespace: str) -> None:
        container = {"name": "main", "image": "example.invalid/main:1"}
        for pod, node in (("talker", NODE), ("stray", "no-such-node")):
            body = {
                "metadata": {"name": pod, "labels": {"app": pod}},
                "spec": {"nodeName": node, "containers": [container]},
            }
            self.plane.create(f"/api/v1/namespaces/{namespace}/pods", body)
            running = {
                "phase": "Running",
                "podIP": "127.0.0.1",
                "conditions": [{"type": "Ready", "status": "True"}],
            }
            answer = self.plane.request(
                "PATCH",
                f"/api/v1/namespaces/{namespace}/pods/{pod}/status",
                _encode({"status": running}),
                headers={"Content-Type": "application/merge-patch+json"},
            )
            assert answer.status == 200, answer.body

    # Stories

    def _forget(self) -> None:
        self.plane.compact_etcd()

    def tell(self, pair: Pair, *command: str) -> tuple[list[RawStep], list[RawStep]]:
        """Have the same program tell its story in both pods."""
        # etcd forgets once for both, when each has read what is to be forgotten.
        barrier = threading.Barrier(2, action=self._forget)

        def answer(_what: str) -> None:
            barrier.wait(PATIENCE_S)

        def tell(pod: Pod) -> list[RawStep]:
            try:
                return pod.tell(command, answer)
            except BaseException:
                barrier.abort()  # the other waits in vain
                raise

        return pair.both(tell)


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode()
