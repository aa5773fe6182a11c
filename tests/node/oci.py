"""Images without Docker: OCI archives made of folders.

Owns the format. Must not know what is in the folders, nor talk to a runtime.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "io.containerd.image.name"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Layer(NamedTuple):
    """A tar file, not compressed: it is read once, on this machine."""

    path: Path
    digest: str


def write_layer(folder: Path, target: Path) -> Layer:
    """Everything in `folder`, owned by root; the same folder gives the same bytes."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder, arcname=".", filter=_as_root)
    with target.open("rb") as file:
        return Layer(target, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


def write_image(
    name: str, layers: Sequence[Layer], config: Mapping[str, Any], machine: str, target: Path
) -> str:
    """Write the archive; the image's digest."""
    documents: dict[str, bytes] = {}

    def add(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
        data = json.dumps(document, sort_keys=True).encode()
        digest = hashlib.sha256(data).hexdigest()
        documents[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    platform = {"architecture": ARCHITECTURES[machine], "os": "linux"}
    root = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
    manifest = add(
        MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": add(CONFIG, {**platform, "config": dict(config), "rootfs": root}),
            "layers": [_describe(layer) for layer in layers],
        },
    )
    entry = {**manifest, "platform": platform, "annotations": {NAME: name}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    documents["index.json"] = json.dumps(index).encode()
    documents["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    with tarfile.open(target, "w") as tar:
        for path, data in documents.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for layer in layers:
            tar.add(layer.path, arcname=f"blobs/{layer.digest.replace(':', '/')}")
    return str(manifest["digest"])


def _describe(layer: Layer) -> dict[str, Any]:
    return {"mediaType": LAYER, "digest": layer.digest, "size": layer.path.stat().st_size}


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
