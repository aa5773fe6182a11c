"""The chart as Helm sees it, and a cluster as it was before and after.

Owns running helm and kubeconform, and listing everything there is. Must not know any object.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.controlplane import Answer, ControlPlane
from tests.controlplane.binaries import find_binary
from webhook.install.settings import InstallSettings
from webhook.install.values import NONE, VALUES

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "chart"
SIDECAR: Final = f"registry.example.com/mca-sidecar@sha256:{'5' * 64}"
CONTROL: Final = f"registry.example.com/mca-control@sha256:{'6' * 64}"
IMAGES: Final[dict[str, Any]] = {"image": {"sidecar": SIDECAR, "control": CONTROL}}
# What makes the control plane itself, or changes by itself.
_RESTLESS: Final = {"Event", "Lease", "APIService", "EndpointSlice", "Endpoints", "IPAddress"}
_NOT_YET: Final = 429
_GONE: Final = 404
_OF_MCA: Final = "/apis/mca.io/"
Identity = tuple[str, str, str]


class Helm:
    """The real helm in a folder of its own; for a cluster, or for none."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self._folder = folder
        self._kubeconfig = kubeconfig

    def try_run(
        self, *arguments: str, values: Mapping[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Whatever comes of it; `values` are given as a file."""
        given = list(arguments)
        if values is not None:
            path = self._folder / "values.yaml"
            path.write_text(json.dumps(values))
            given += ["--values", str(path)]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._folder),
            "KUBECONFIG": str(self._kubeconfig or os.devnull),
        }
        return subprocess.run(
            [str(find_binary("helm")), *given],
            env=environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """What it prints; it must work."""
        done = self.try_run(*arguments, values=values)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def template(
        self, values: Mapping[str, Any], namespace: str = "mca-system"
    ) -> dict[Identity, Any]:
        """The objects of the chart."""
        text = self.run("template", "mca", str(CHART), "--namespace", namespace, values=values)
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
        found = {identify(each): each for each in documents}
        assert len(found) == len(documents)
        return found


def identify(document: Mapping[str, Any]) -> Identity:
    """Kind, namespace and name."""
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def read_values(values: Mapping[str, Any], namespace: str = "mca-system") -> InstallSettings:
    """The settings that values mean."""
    found: dict[str, Any] = {"namespace": namespace}
    plain = InstallSettings(sidecar_image="", control_image="")
    for value in VALUES:
        node: Any = values
        for name in value.path.split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        if node is None:
            continue
        field, _, part = value.field.partition(".")
        if isinstance(node, Mapping):
            # Helm puts what is given into what there is by default.
            node = _merge(getattr(plain, field), node)
        if part:
            whole = found.get(field, getattr(plain, field))
            found[field] = whole._replace(**{part: "" if node == NONE else node})
        else:
            found[field] = tuple(node) if isinstance(node, list) else node
    return InstallSettings(**found)


def _merge(default: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    both = {**default, **given}
    return {
        key: _merge(default[key], each)
        if isinstance(each, Mapping) and isinstance(default.get(key), Mapping)
        else each
        for key, each in both.items()
        if each is not None
    }


def take_stock(plane: ControlPlane) -> dict[Identity, str]:
    """Every object of the cluster with its uid, of every kind that can be listed."""
    found = {}
    for version in _list_versions(plane):
        # A group whose last definition went a moment ago is still named.
        for resource in _get(plane, version).get("resources", ()):
            if "/" in resource["name"] or "list" not in resource["verbs"]:
                continue
            if resource["kind"] in _RESTLESS:
                continue
            for item in _get(plane, f"{version}/{resource['name']}").get("items", ()):
                identity = identify({"kind": resource["kind"], **item})
                found[identity] = item["metadata"].get("uid", "")
    return found


def _list_versions(plane: ControlPlane) -> list[str]:
    groups = _get(plane, "/apis")["groups"]
    return ["/api/v1", *(f"/apis/{each['preferredVersion']['groupVersion']}" for each in groups)]


def _get(plane: ControlPlane, path: str) -> Any:
    answer: Answer = plane.request("GET", path)
    # Of a custom kind, for a moment after it was defined.
    for _ in range(20):
        if answer.status != _NOT_YET:
            break
        time.sleep(0.5)
        answer = plane.request("GET", path)
    if answer.status == _GONE and path.startswith(_OF_MCA):
        return {}
    assert answer.status == 200, (path, answer.body)
    return answer.json()
