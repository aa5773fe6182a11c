"""What tests of injection share: settings, pods, patches, and the webhook as a process of its own.

Owns the webhook's process. Must not judge what it answers.
"""

import base64
import copy
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.controlplane.certificates import Authority
from tests.controlplane.control_plane import choose_port
from tests.webhook.cli.run.scene import MCA
from webhook.admission.settings import InjectionSettings

IMAGE = "registry.example.com/mca/sidecar@sha256:" + "a" * 64
SETTINGS = InjectionSettings(image=IMAGE)
ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def make_container(name: str = "app", **fields: Any) -> dict[str, Any]:
    """A container that Pod Security restricted takes."""
    return {"name": name, "image": "app:1", "securityContext": RESTRICTED, **fields}


def make_pod(
    *containers: dict[str, Any], annotations: Mapping[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A pod as somebody writes it."""
    metadata: dict[str, Any] = {"name": "web-0"}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": list(containers) or [make_container()], **spec},
    }


def add_access(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod after the API server's own plugin, as a webhook sees it."""
    pod = copy.deepcopy(pod)
    name = "kube-api-access-x7k2p"
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    volume = {"name": name, "projected": {"defaultMode": 420, "sources": sources}}
    pod["spec"].setdefault("volumes", []).append(volume)
    for container in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]:
        mounts = container.setdefault("volumeMounts", [])
        if not any(mount["mountPath"] == ACCOUNT_PATH for mount in mounts):
            mounts.append({"name": name, "readOnly": True, "mountPath": ACCOUNT_PATH})
    return pod


def apply_patch(document: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902 for add, remove and replace, as its text says."""
    document = copy.deepcopy(document)
    for operation in operations:
        *way, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        target = document
        for part in way:
            target = target[int(part)] if isinstance(target, list) else target[part]
        key: Any = int(last) if isinstance(target, list) else last
        if operation["op"] == "remove":
            del target[key]
        elif operation["op"] == "add" and isinstance(target, list):
            assert key <= len(target)
            target.insert(key, operation["value"])
        else:
            assert operation["op"] == "add" or key in target or isinstance(target, list)
            target[key] = operation["value"]
    return document


class WebhookProcess:
    """`mca webhook` with a certificate of its own CA."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.authority = Authority(folder, "webhook-ca")
        pair = self.authority.issue_server("webhook", ["127.0.0.1", "localhost"])
        self.cert, self.key = folder / "tls.crt", folder / "tls.key"
        self.cert.write_bytes(pair.certificate.read_bytes())
        self.key.write_bytes(pair.key.read_bytes())
        self.port = choose_port()
        coverage = {key: text for key, text in os.environ.items() if key.startswith("COVERAGE_")}
        self.environment = {
            "PATH": os.environ["PATH"],
            **coverage,
            "MCA_WEBHOOK_LISTEN": f"127.0.0.1:{self.port}",
            "MCA_WEBHOOK_CERT": str(self.cert),
            "MCA_WEBHOOK_KEY": str(self.key),
            "MCA_WEBHOOK_DRAIN": "0",
            "MCA_SIDECAR_IMAGE": IMAGE,
            **environment,
        }
        self._log = (folder / "webhook.log").open("w")
        self.process = subprocess.Popen(
            [MCA, "webhook"], env=self.environment, stdout=self._log, stderr=subprocess.STDOUT
        )

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> str:
        return base64.b64encode(self.authority.pem.encode()).decode()

    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "webhook.log").read_text()

    def wait(self) -> "WebhookProcess":
        """Until it answers."""
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return self
            except OSError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One call on a connection of its own."""
        trust = ssl.create_default_context(cadata=self.authority.pem)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=trust, timeout=30)
        try:
            connection.request(method, path, body=body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def connect(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """A connection for what no client would send, from any address of loopback."""
        trust = ssl.create_default_context(cadata=self.authority.pem)
        address = ("127.0.0.1", self.port)
        plain = socket.create_connection(address, timeout=30, source_address=(source, 0))
        return trust.wrap_socket(plain, server_hostname="localhost")

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self._log.close()
        return code


def make_review(pod: Any, **fields: Any) -> bytes:
    """An AdmissionReview for the creation of a pod."""
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "team-a",
        "operation": "CREATE",
        "object": pod,
        **fields,
    }
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(document).encode()
