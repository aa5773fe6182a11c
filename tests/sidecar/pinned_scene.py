"""A pod that the controller looks after: its own home and token, a snapshot that it watches, tokens
for members, a broker. The servers are scripted ones, or real API servers."""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.scripted_server import Connection, Request, ScriptedServer
from tests.sidecar_process import Cluster, SidecarProcess

NAMESPACE = "team-a"
POLICY = "mca-policy"
WATCH_PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps?watch=true"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def fingerprint(pem: str) -> str:
    return sha256(pem.encode()).hexdigest()


def encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def member(called: str, at: Cluster, folder: Path, **changes: Any) -> dict[str, Any]:
    """A member with a mounted token, as the controller writes it."""
    return {
        "name": called,
        "server": at.server,
        "caBundle": encoded(at.ca_pem),
        "credentials": {"tokenFile": str(folder / "members" / called / "token")},
    } | changes


def snapshot(revision: str, *members: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A snapshot whose home is nowhere: a pinned pod has its own."""
    home = {
        "name": "home",
        "server": "https://192.0.2.1",
        "caBundle": {"caFile": "/nowhere/ca.crt"},
        "credentials": {"tokenFile": "/nowhere/token"},
    }
    return {
        "apiVersion": "mca.io/v1alpha1", "kind": "Snapshot", "version": 1, "revision": revision,
        "namespace": NAMESPACE, "tenant": None, "clusters": [home, *members], "routes": [],
    } | changes  # fmt: skip


def event(kind: str, document: Mapping[str, Any] | None, **changes: Any) -> bytes:
    """A line of a watch of the ConfigMap."""
    found = {
        "kind": "ConfigMap",
        "metadata": {"namespace": NAMESPACE, "name": POLICY},
        "data": None if document is None else {"snapshot.v1.json": json.dumps(document)},
    } | changes
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def pinned_env(
    folder: Path, home: Cluster, pins: Sequence[Mapping[str, str]] = (), **env: str
) -> dict[str, str]:
    """What injection puts into such a pod; its service account's folder is made here."""
    account = folder / "account"
    account.mkdir()
    (account / "ca.crt").write_text(home.ca_pem)
    (account / "token").write_text(home.token or "")
    (account / "namespace").write_text(NAMESPACE)
    host, _, port = home.server.removeprefix("https://").rpartition(":")
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "MCA_SERVICE_ACCOUNT_DIR": str(account),
        "MCA_MEMBERS": json.dumps(list(pins)),
        "MCA_MEMBERS_DIR": str(folder / "members"),
    } | env


def pin_of(name: str, at: Cluster, **changes: str) -> dict[str, str]:
    return {"name": name, "server": at.server, "ca": fingerprint(at.ca_pem)} | changes


def write_member_token(folder: Path, name: str, token: str) -> None:
    path = folder / "members" / name
    path.mkdir(parents=True)
    (path / "token").write_text(token)


class Home:
    """A scripted API server: it feeds watches, and answers all else with a list that names it."""

    def __init__(self, name: str = "home") -> None:
        self.name = name
        self.watches: list[Connection] = []
        self.first: list[bytes] = []  # what each new watch begins with, beside its head
        self.refusal = b""  # what a watch is answered instead
        self.server = ScriptedServer(self._serve)

    def _serve(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"watch=true" not in request.target:
                document = {"kind": "PodList", "apiVersion": "v1", "items": [], "by": self.name}
                body = json.dumps(document).encode()
                connection.send(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                )
            elif self.refusal:
                connection.send(self.refusal)
            else:
                connection.send(HEAD + b"".join(map(chunk, self.first)))
                self.watches.append(connection)

    def feed(self, *events: bytes) -> None:
        """Send events to the newest watch."""
        wait_for(lambda: self.watches)
        self.watches[-1].send(b"".join(map(chunk, events)))

    def asked(self) -> list[Request]:
        """The watches that were asked for."""
        return [seen for seen in self.server.requests if b"watch=true" in seen.target]


def wait_for(met: Callable[[], object], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def revisions(sidecar: SidecarProcess) -> list[str]:
    """Those that came into use."""
    return [line["revision"] for line in sidecar.events("snapshot_loaded")]


class Desk:
    """A scripted broker: `answer` makes its answer to each request for a credential."""

    def __init__(self, answer: Callable[[int], bytes]) -> None:
        self.answer = answer
        self.down = False
        self.reports: list[dict[str, str]] = []
        self.asked: list[Request] = []
        self.server = ScriptedServer(self._serve)

    def _serve(self, connection: Connection) -> None:
        while not self.down and (request := connection.read_request()) is not None:
            if request.target == b"/v1/reports":
                self.reports.append(json.loads(request.body))
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            else:
                self.asked.append(request)
                connection.send(self.answer(len(self.asked)))

    def fail(self) -> None:
        """It is gone, and so is what is connected to it."""
        self.down = True
        self.server.break_connections()

    @property
    def section(self) -> dict[str, str]:
        """What a snapshot says of it."""
        return {"server": self.server.url, "caBundle": encoded(self.server.authority.pem)}
