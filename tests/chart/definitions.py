"""Definitions of kinds: those that other projects add to a cluster, and schemas of all it serves.

Owns where they come from: Go modules of those projects, the OpenAPI of a real API server. Must not
judge an object by them.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.controlplane import ControlPlane

_HERE: Final = Path(__file__).resolve().parent
_CRDS: Final = {
    "github.com/cert-manager/cert-manager": (
        "deploy/crds/cert-manager.io_certificates.yaml",
        "deploy/crds/cert-manager.io_issuers.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
}
_REF: Final = "#/components/schemas/"
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
# As kubeconform asks for them.
SCHEMA_LOCATION: Final = "{{ .Group }}_{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"


def find_custom_definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions, at the pinned versions of their projects."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    assert go is not None, "Go is missing: install Go 1.26 or newer (https://go.dev/dl)"
    done = subprocess.run(
        [go, "mod", "download", "-json", *_CRDS],
        cwd=_HERE / "crds",
        env=os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    folders = {each["Path"]: Path(each["Dir"]) for each in _split(done.stdout)}
    return [
        yaml.safe_load((folders[module] / name).read_text())
        for module, names in _CRDS.items()
        for name in names
    ]


def _split(text: str) -> list[dict[str, Any]]:
    """JSON documents one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def write_schemas(plane: ControlPlane, folder: Path) -> None:
    """One strict JSON schema for each kind that the API server serves."""
    paths = plane.request("GET", "/openapi/v3").json()["paths"]
    for name, where in paths.items():
        if name.startswith(("api/", "apis/")):
            document = plane.request("GET", where["serverRelativeURL"]).json()
            _write_group(document.get("components", {}).get("schemas", {}), folder)


def _write_group(schemas: dict[str, Any], folder: Path) -> None:
    definitions = {name: _convert(schema) for name, schema in schemas.items()}
    for name, schema in schemas.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"] or kind["version"]  # what stands first in its apiVersion
            path = folder / f"{group}_{kind['kind'].lower()}_{kind['version']}.json"
            whole = {"$ref": f"#/definitions/{name}", "definitions": definitions}
            path.write_text(json.dumps(whole))


def _convert(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's as JSON schema; a field that is not named is an error."""
    made = dict(schema)
    if "$ref" in schema:
        made["$ref"] = schema["$ref"].replace(_REF, "#/definitions/")
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            made[key] = [_convert(each) for each in schema[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = _convert(schema[key])
    if "properties" in schema:
        made["properties"] = {name: _convert(each) for name, each in schema["properties"].items()}
        if schema.get("type") == "object" and not schema.get(_OPEN):
            made.setdefault("additionalProperties", False)
    return made
