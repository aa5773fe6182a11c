"""What all subjects of one run share: a folder, keys, tokens, bodies.

Must not start anything.
"""

import base64
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.certificates import Authority, Pair

NAMESPACE = "team-a"
TARGET = f"/api/v1/namespaces/{NAMESPACE}/pods/web-0"
CLOSING_TARGET = f"/api/v1/namespaces/{NAMESPACE}/pods/closing"  # the origin closes after it
BULK_WITH_LENGTH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
BULK_CHUNKED = f"/api/v1/namespaces/{NAMESPACE}/events"
BODY_BYTES = 762
BULK_BYTES = 100_000_000
# A projected service-account token is a JWT of about this size.
UPSTREAM_TOKEN_BYTES = 900


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server behind a proxy, and how to prove oneself to it."""

    port: int
    tls_name: str
    ca_file: Path
    token: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Every path lies in `folder`, which goes with the run."""

    folder: Path
    serving: Pair
    ca_file: Path
    client_token: str
    client_token_file: Path
    upstream_token: str
    body: str
    body_file: Path
    bulk_file: Path
    bulk_crc: int


def build_scene(folder: Path) -> Scene:
    """Make all of it; the bulk file takes most of the half second."""
    authority = Authority(folder, "bench")
    serving = authority.issue_server("serving", ("127.0.0.1", "localhost", "kubernetes"))
    client_token = "mca-app." + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    client_token_file = folder / "client.token"
    client_token_file.write_text(client_token)
    body = make_body()
    body_file = folder / "body.json"
    body_file.write_text(body)
    bulk_file = folder / "bulk.json"
    crc = write_bulk(bulk_file, body)
    return Scene(
        folder=folder,
        serving=serving,
        ca_file=authority.file,
        client_token=client_token,
        client_token_file=client_token_file,
        upstream_token=base64.urlsafe_b64encode(os.urandom(UPSTREAM_TOKEN_BYTES * 3 // 4)).decode(),
        body=body,
        body_file=body_file,
        bulk_file=bulk_file,
        bulk_crc=crc,
    )


def make_body() -> str:
    """A small Pod, filled up to its size."""
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web-0", "annotations": {"f": ""}},
    }
    filler = "x" * (BODY_BYTES - len(json.dumps(pod)))
    pod["metadata"] = {"name": "web-0", "annotations": {"f": filler}}
    return json.dumps(pod)


def write_bulk(path: Path, item: str) -> int:
    """A list of such items, ended by spaces at its exact size; returns its CRC-32."""
    unit = item + ","
    whole = '{"kind":"PodList","apiVersion":"v1","items":[' + unit * (BULK_BYTES // len(unit) - 1)
    text = f"{whole}{item}]}}".ljust(BULK_BYTES).encode()
    path.write_bytes(text)
    return zlib.crc32(text)
