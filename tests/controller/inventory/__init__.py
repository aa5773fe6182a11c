"""The ClusterProfile as its project defines it, at a pinned version. Owns where it comes from."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

_HERE: Final = Path(__file__).resolve().parent
_MODULE: Final = "sigs.k8s.io/cluster-inventory-api"
_FILE: Final = "config/crd/bases/multicluster.x-k8s.io_clusterprofiles.yaml"


def find_definition() -> dict[str, Any]:
    """Its CustomResourceDefinition."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    assert go is not None, "Go is missing: install Go 1.26 or newer (https://go.dev/dl)"
    done = subprocess.run(
        [go, "mod", "download", "-json", _MODULE],
        cwd=_HERE,
        env=os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = yaml.safe_load(
        (Path(json.loads(done.stdout)["Dir"]) / _FILE).read_text()
    )
    return found
