"""The sidecar as it is measured: a process of its own, told everything by its environment.

It starts the way an image would start it: isolated, and without `site` (-I -S), which would read
every .pth file of this environment first.
"""

import base64
import json
import socket
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from bench.peers import Proxy
from bench.scene import NAMESPACE, Scene, Upstream
from tests.controlplane import ServerProcess, choose_port

ROOT = Path(__file__).resolve().parent.parent
CONTAINER = "app"
READY_TIMEOUT_S = 20.0
START = "from sidecar.__main__ import main; sys.exit(main([]))"
NAME = "sidecar"


def python_command(code: str) -> list[str]:
    """Our interpreter, isolated, which finds the project and its packages and nothing else."""
    packages = sysconfig.get_path("platlib")
    found = f"import sys; sys.path[1:1] = [{str(ROOT)!r}, {packages!r}]; {code}"
    return [sys.executable, "-I", "-S", "-c", found]


@dataclass(frozen=True, slots=True)
class Setup:
    """One sidecar's folder and environment; can be started again and again."""

    folder: Path
    environment: dict[str, str]
    port: int
    admin_port: int


def prepare(scene: Scene, upstream: Upstream, folder_name: str) -> Setup:
    """Write the snapshot and the upstream's token."""
    folder = scene.folder / folder_name
    folder.mkdir()
    token_file = folder / "upstream.token"
    token_file.write_text(upstream.token)
    cluster = {
        "name": "home",
        "server": f"https://127.0.0.1:{upstream.port}",
        "caBundle": base64.b64encode(upstream.ca_file.read_bytes()).decode(),
        "tlsServerName": upstream.tls_name,
        "credentials": {"tokenFile": str(token_file)},
    }
    snapshot = {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Snapshot",
        "version": 1,
        "revision": "bench",
        "namespace": NAMESPACE,
        "tenant": None,
        "clusters": [cluster],
        "routes": [],
    }
    (folder / "snapshot.json").write_text(json.dumps(snapshot))
    port, admin_port = choose_port(), choose_port()
    environment = {
        "MCA_API_LISTEN": f"127.0.0.1:{port}",
        "MCA_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        "MCA_SNAPSHOT": str(folder / "snapshot.json"),
        "MCA_IDENTITY_DIR": str(folder / "identity"),
        "MCA_CLIENTS_DIR": str(folder / "clients"),
        "MCA_CONTAINERS": CONTAINER,
        "MCA_NAMESPACE": NAMESPACE,
        "MCA_POD": "bench-0",
        "MCA_SERVICE_ACCOUNT": "bench",
    }
    return Setup(folder, environment, port, admin_port)


def start(scene: Scene, upstream: Upstream) -> Proxy:
    """Start one in front of the upstream; returns when it is ready."""
    setup = prepare(scene, upstream, f"{NAME}-{upstream.port}")
    log = setup.folder / "requests.log"
    process = ServerProcess(python_command(START), log=log, environment=setup.environment)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_ready(setup.admin_port):
        if not process.is_running():
            raise RuntimeError(process.describe_end())
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"the sidecar is not ready: {process.describe_end()}")
        time.sleep(0.01)
    client = setup.folder / "clients" / CONTAINER
    return Proxy(NAME, process, setup.port, client / "ca.crt", client / "token", log)


def is_ready(admin_port: int) -> bool:
    """One look at /readyz, as cheap as it gets: its caller measures by it."""
    try:
        with socket.create_connection(("127.0.0.1", admin_port), timeout=5) as connection:
            connection.sendall(
                b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
            )
            return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
