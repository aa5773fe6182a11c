"""Replicas of the webhook that make their own certificates, and who stands before them.

Owns processes of `mca webhook` with the rights of an installation, and a balancer as a Service is
one: it sends each connection to a replica that says it is ready. Must not judge anything.
"""

import base64
import contextlib
import http.client
import json
import os
import random
import selectors
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import choose_port
from tests.webhook.admission.scene import IMAGE
from tests.webhook.cli.run.scene import MCA
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

NAMESPACE = "mca-system"
SERVER_NAME = "mca-webhook.mca-system.svc"
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
REGISTRATION = f"{REGISTRATIONS}/mca"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/mca-webhook-ca"
SHOWN = f"/api/v1/namespaces/{NAMESPACE}/configmaps/mca-webhook-ca"
PLURALS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "Secret": f"/api/v1/namespaces/{NAMESPACE}/secrets",
    "ConfigMap": f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "MutatingWebhookConfiguration": REGISTRATIONS,
}


class Replica:
    """One process, by the account and the variables of the Deployment."""

    def __init__(self, folder: Path, plane: ControlPlane, token: str, **environment: str) -> None:
        self.port = choose_port()
        self.is_called: Callable[[], bool] = lambda: True  # whoever stands before it knows of it
        self._path = folder / f"replica-{self.port}.log"
        kubeconfig = folder / f"replica-{self.port}.kubeconfig"
        kubeconfig.write_text(render_kubeconfig(plane, token))
        coverage = {key: text for key, text in os.environ.items() if key.startswith("COVERAGE_")}
        self._log = self._path.open("w")
        self.process = subprocess.Popen(
            [MCA, "webhook"],
            env={
                "PATH": os.environ["PATH"],
                **coverage,
                "KUBECONFIG": str(kubeconfig),
                "MCA_WEBHOOK_LISTEN": f"127.0.0.1:{self.port}",
                "MCA_WEBHOOK_CERTIFICATES": "own",
                "MCA_WEBHOOK_DRAIN": "0",
                "MCA_SIDECAR_IMAGE": IMAGE,
                **environment,
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def log(self) -> str:
        """What it has printed."""
        return self._path.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its log's lines about one thing."""
        found = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == name]

    def ask(self, path: str) -> tuple[int, str]:
        """As a probe: whatever its certificate is."""
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=trust, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """As the kubelet sees it."""
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False

    def wait(self, timeout_s: float = 30.0) -> "Replica":
        """Until it is ready."""
        deadline = time.monotonic() + timeout_s
        while not (self.is_ready() and self.is_called()):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self

    def shake_hands(self, trusted_pem: str) -> str:
        """A handshake as an API server's; the serial number of what it showed."""
        trust = ssl.create_default_context(cadata=trusted_pem)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with trust.wrap_socket(plain, server_hostname=SERVER_NAME) as secure:
            return str((secure.getpeercert() or {})["serialNumber"])

    def stop(self) -> None:
        """SIGTERM, as a rollout does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0, self.log()
        self._log.close()


class Balancer:
    """Sends each connection to a replica that was ready a moment ago."""

    def __init__(self) -> None:
        self.replicas: list[Replica] = []
        self.ready: list[Replica] = []
        self._socket = socket.create_server(("127.0.0.1", choose_port()))
        self.port: int = self._socket.getsockname()[1]
        self._ended = threading.Event()
        for work in (self._accept, self._probe):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _probe(self) -> None:
        while not self._ended.wait(0.05):
            self.ready = [replica for replica in list(self.replicas) if replica.is_ready()]

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                inner, _ = self._socket.accept()
            except OSError:
                return
            if not self.ready:
                inner.close()
                continue
            outer = socket.create_connection(("127.0.0.1", random.choice(self.ready).port))
            threading.Thread(target=_forward, args=(inner, outer), daemon=True).start()


def _forward(*ends: socket.socket) -> None:
    with selectors.DefaultSelector() as selector, ends[0], ends[1]:
        for near, far in (ends, ends[::-1]):
            selector.register(near, selectors.EVENT_READ, far)
        with contextlib.suppress(OSError):
            while True:
                for key, _ in selector.select():
                    content = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not content:
                        return
                    key.data.sendall(content)


class Installed:
    """What an installation puts into a cluster for the webhook, but for its Deployment."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self.balancer = Balancer()
        self.applied: dict[str, Any] = {}
        for path in (SECRET, SHOWN, REGISTRATION):  # of an earlier one
            plane.request("DELETE", path)
        settings = InstallSettings(sidecar_image=IMAGE, control_image=IMAGE)
        for document in build_objects(settings):
            collection = PLURALS.get(document["kind"])
            if collection is not None:
                self._apply(collection, document)
        # It stands where the API server asks for the Service's address.
        plane.create(
            f"/api/v1/namespaces/{NAMESPACE}/services",
            {
                "metadata": {"name": "mca-webhook"},
                "spec": {"type": "ExternalName", "externalName": "localhost"},
            },
        )
        self.token = plane.token(NAMESPACE, "mca-webhook")

    def _apply(self, collection: str, document: dict[str, Any]) -> None:
        if document["kind"] == "MutatingWebhookConfiguration":
            for entry in document["webhooks"]:
                entry["clientConfig"]["service"]["port"] = self.balancer.port
        self.applied[document["kind"]] = document
        self.apply(collection, document)

    def apply(self, collection: str, document: dict[str, Any]) -> None:
        """By server-side apply, as `mca install`."""
        name = document["metadata"]["name"]
        answer = self.plane.request(
            "PATCH",
            f"{collection}/{name}?fieldManager=mca&force=true",
            json.dumps(document).encode(),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.status in (200, 201), answer.body

    def start_replica(self, **environment: str) -> Replica:
        """One more; it is called once it is ready."""
        replica = Replica(self.folder, self.plane, self.token, **environment)
        self.balancer.replicas.append(replica)
        replica.is_called = lambda: replica in self.balancer.ready
        return replica

    def stop(self) -> None:
        """All of it."""
        self.balancer.close()
        for replica in self.balancer.replicas:
            if replica.process.poll() is None:
                replica.stop()

    def read(self, path: str) -> dict[str, Any]:
        """An object as it is."""
        answer = self.plane.request("GET", path)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = answer.json()
        return document

    def read_bundles(self) -> list[str]:
        """The caBundles, in PEM."""
        webhooks = self.read(REGISTRATION)["webhooks"]
        return [
            base64.b64decode(entry["clientConfig"].get("caBundle", "")).decode()
            for entry in webhooks
        ]

    def read_authorities(self) -> list[dict[str, Any]]:
        """What the Secret holds."""
        data = self.read(SECRET)["data"]
        listed: list[dict[str, Any]] = json.loads(base64.b64decode(data["authorities.json"]))[
            "authorities"
        ]
        return listed

    def patch(self, path: str, patch: Any) -> None:
        """A JSON merge patch, as somebody who may."""
        answer = self.plane.request(
            "PATCH",
            path,
            json.dumps(patch).encode(),
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.status == 200, answer.body

    def create_namespace(self, name: str) -> None:
        """A labelled one, with its account."""
        labels = {"mca.io/injection": "enabled"}
        self.plane.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        self.plane.create(accounts, {"metadata": {"name": "default"}})

    def create_pod(self, namespace: str) -> str:
        """What is wrong with the answer, or nothing: an injected pod."""
        pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
        answer = self.plane.request("POST", path, pod)
        if answer.status != 201:
            return f"{answer.status} {answer.json().get('message')}"
        names = [entry["name"] for entry in answer.json()["spec"].get("initContainers", ())]
        return "" if names == ["mca"] else f"not injected: {names}"

    @contextlib.contextmanager
    def create_pods(self, namespace: str) -> Iterator[list[str]]:
        """All the while; what was wrong with each answer."""
        told: list[str] = []
        done = threading.Event()

        def work() -> None:
            while not done.is_set():
                told.append(self.create_pod(namespace))
                time.sleep(0.01)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield told
        finally:
            done.set()
            worker.join()


def render_kubeconfig(plane: ControlPlane, token: str) -> str:
    """Of an account (JSON is YAML)."""
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": plane.url,
                        "certificate-authority": str(plane.authority.file),
                    },
                }
            ],
            "users": [{"name": "u", "user": {"token": token}}],
        }
    )
