"""A machine that runs MCA's own pods as processes, so that a bare control plane has what a
cluster has: pods that become ready, endpoints, and Services that the API server can call.

Owns what scheduler and kubelet do, as far as that takes. Pods listen at this machine's own address:
the API server dials no loopback of a pod. Their ports are those that the Deployments say, so one
such machine waits for another. Must not know what is installed, but for its namespace.
"""

import fcntl
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane import ControlPlane
from tests.webhook.cli.run.scene import MCA

NAME = "node-1"
_SIOCGIFADDR = 0x8915
_BEAT_S = 5.0
_POLL_S = 0.1
_MERGE = {"Content-Type": "application/merge-patch+json"}


def find_address() -> str:
    """Of this machine, as others would see it; without a way to others, of any of its interfaces.

    Nothing is sent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            found = [_find_address_of(name, probe) for _, name in socket.if_nameindex()]
    address = next((each for each in found if each and not each.startswith("127.")), None)
    if address is None:
        raise RuntimeError(
            "this machine has no address but loopback, and the API server calls no webhook there: "
            "give one of its interfaces another"
        )
    return address


def _find_address_of(name: str, probe: socket.socket) -> str | None:
    request = struct.pack("256s", name.encode()[:15])
    try:
        answer = fcntl.ioctl(probe, _SIOCGIFADDR, request)
    except OSError:
        return None  # it has none of IPv4
    return socket.inet_ntoa(answer[20:24])


class _Process:
    """All pods of one Deployment share it; a pod of another form has it begin anew."""

    def __init__(self) -> None:
        self.form: Any = None
        self.running: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End it, as the pods' containers would be."""
        running, self.running = self.running, None
        if running is not None:
            running.send_signal(signal.SIGKILL)
            running.wait(timeout=30)

    def is_running(self) -> bool:
        return self.running is not None and self.running.poll() is None


class Node:
    """Runs the pods of one namespace."""

    def __init__(self, plane: ControlPlane, folder: Path, namespace: str = "mca-system") -> None:
        self._plane = plane
        self._folder = folder
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._namespace = namespace
        self._address = find_address()
        self._lock = (Path(tempfile.gettempdir()) / "mca-ports.lock").open("a")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._processes: dict[str, _Process] = {}
        self._log = (folder / "pods.log").open("ab")
        self.problem = ""
        # Pods become ready only while it is set.
        self.healthy = True

    def __enter__(self) -> Self:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._plane.create("/api/v1/nodes", {"metadata": {"name": NAME}})
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()
        self.stop_processes()
        self._log.close()
        self._lock.close()
        assert not self.problem, self.problem

    def log(self) -> str:
        """What the pods' processes have printed."""
        return (self._folder / "pods.log").read_text()

    def stop_processes(self) -> None:
        """End them; each comes back with the next look at a pod of its."""
        for process in self._processes.values():
            process.stop()

    def _live(self) -> None:
        beat = 0.0
        while not self._ending.wait(_POLL_S):
            try:
                if time.monotonic() - beat > _BEAT_S:
                    self._tell_alive()
                    beat = time.monotonic()
                pods = self._plane.request("GET", self._pods).json()["items"]
                for pod in pods:
                    self._care_for(pod)
                # In a rollout the newest pods take the process over.
                pods.sort(key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
                newest = {_find_container(pod)["name"]: pod for pod in pods}
                for name in self._processes.keys() - newest.keys():
                    self._processes[name].stop()
                for pod in newest.values():
                    self._run(pod)
            except (OSError, HTTPException):
                continue  # the API server is away
            except Exception as error:  # noqa: BLE001 - a thread's end must be seen
                self.problem = f"{type(error).__name__}: {error}"
                return

    def _tell_alive(self) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
                 "lastHeartbeatTime": now, "lastTransitionTime": now}  # fmt: skip
        self._patch(f"/api/v1/nodes/{NAME}/status", {"status": {"conditions": [ready]}})

    def _care_for(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        path = f"{self._pods}/{name}"
        if pod["metadata"].get("deletionTimestamp"):
            self._plane.request("DELETE", path, {"gracePeriodSeconds": 0})
        elif not pod["spec"].get("nodeName"):
            target = {"target": {"apiVersion": "v1", "kind": "Node", "name": NAME}}
            self._plane.request("POST", f"{path}/binding", {"metadata": {"name": name}, **target})
        else:
            self._report(pod, path)

    def _run(self, pod: dict[str, Any]) -> None:
        container = _find_container(pod)
        process = self._processes.setdefault(container["name"], _Process())
        # Another ReplicaSet: another form, or an installation made anew, whose account is another.
        form = pod["metadata"]["ownerReferences"][0]["uid"]
        if not self.healthy:
            process.stop()
        elif process.running is None or process.form != form:
            process.stop()
            process.form = form
            process.running = subprocess.Popen(
                [MCA, *container["args"]],
                env=self._make_environment(pod, container),
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )

    def _make_environment(self, pod: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
        """As the pod says it, but for the address; and the account's token, as the kubelet does."""
        fields = {"metadata.namespace": self._namespace, "metadata.name": pod["metadata"]["name"]}
        told = {
            item["name"]: item.get("value", "")
            if "valueFrom" not in item
            else fields[item["valueFrom"]["fieldRef"]["fieldPath"]]
            for item in container["env"]
        }
        prefix, account = f"MCA_{container['name'].upper()}", pod["spec"]["serviceAccountName"]
        kubeconfig = self._folder / f"{account}.kubeconfig"
        kubeconfig.write_text(json.dumps(self._make_kubeconfig(account)))
        coverage = {key: text for key, text in os.environ.items() if key.startswith("COVERAGE_")}
        return {
            "PATH": os.environ["PATH"],
            **coverage,
            **told,
            "KUBECONFIG": str(kubeconfig),
            f"{prefix}_LISTEN": f"{self._address}:{_find_port(container)}",
            f"{prefix}_DRAIN": "0",
        }

    def _make_kubeconfig(self, account: str) -> dict[str, Any]:
        cluster = {
            "server": self._plane.url,
            "certificate-authority": str(self._plane.authority.file),
        }
        token = self._plane.token(self._namespace, account)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pod",
            "contexts": [{"name": "pod", "context": {"cluster": "it", "user": "account"}}],
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "account", "user": {"token": token}}],
        }

    def _report(self, pod: dict[str, Any], path: str) -> None:
        ready = "True" if self._is_ready(_find_container(pod)) else "False"
        found = {item["type"]: item["status"] for item in pod["status"].get("conditions") or ()}
        if found.get("Ready") == ready:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        conditions = [
            {"type": kind, "status": ready, "lastTransitionTime": now}
            for kind in ("Ready", "ContainersReady")
        ]
        status = {
            "phase": "Running",
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "hostIP": self._address,
            "startTime": now,
            "conditions": conditions,
        }
        self._patch(f"{path}/status", {"status": status})

    def _is_ready(self, container: dict[str, Any]) -> bool:
        """As the kubelet asks, which verifies no certificate."""
        process = self._processes.get(container["name"])
        if process is None or not process.is_running():
            return False
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = HTTPSConnection(
            self._address, _find_port(container), timeout=2, context=context
        )
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _patch(self, path: str, change: Any) -> None:
        self._plane.request("PATCH", path, json.dumps(change).encode(), headers=_MERGE)


def _find_container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def _find_port(container: dict[str, Any]) -> int:
    return int(container["ports"][0]["containerPort"])
