"""kubeconform over all that the chart makes, by the schemas of a real API server."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart.definitions import SCHEMA_LOCATION, find_custom_definitions, write_schemas
from tests.chart.scene import IMAGES, Helm
from tests.chart.test_templates import ODD
from tests.controlplane import ControlPlane
from tests.controlplane.binaries import find_binary
from tests.manifests.scene import wait_until

pytestmark = pytest.mark.apiserver
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    with ControlPlane() as plane:
        for definition in find_custom_definitions():
            assert plane.request("POST", DEFINITIONS, definition).status == 201

        def list_groups() -> set[str]:
            return set(plane.request("GET", "/openapi/v3").json()["paths"])

        wait_until(
            lambda: {"apis/cert-manager.io/v1", "apis/monitoring.coreos.com/v1"} <= list_groups()
        )
        write_schemas(plane, folder)
    return folder


def judge(schemas: Path, documents: list[Any]) -> dict[str, Any]:
    done = subprocess.run(
        [
            str(find_binary("kubeconform")), "-strict", "-summary", "-verbose",
            "-output", "json", "-schema-location", f"{schemas}/{SCHEMA_LOCATION}",
        ],
        input="\n---\n".join(json.dumps(document) for document in documents),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict), done.stderr
    return answer


@pytest.mark.parametrize("values", [IMAGES, ODD], ids=["plain", "odd"])
def test_every_object_is_valid(helm: Helm, schemas: Path, values: dict[str, Any]) -> None:
    documents = list(helm.template(values).values())
    answer = judge(schemas, documents)
    faults = [each for each in answer["resources"] if each["status"] != "statusValid"]
    assert faults == []
    assert answer["summary"] == {"valid": len(documents), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("kind", ["Deployment", "ServiceMonitor", "Certificate", "FlowSchema"])
@pytest.mark.parametrize("spoil", [{"spec": {"unheard": "of"}}, {"metadata": {"name": 7}}])
def test_what_is_wrong_is_found(
    helm: Helm, schemas: Path, kind: str, spoil: dict[str, Any]
) -> None:
    """A field that no kind has, and a type that is another: or the test above says nothing."""
    chosen = next(each for key, each in helm.template(ODD).items() if key[0] == kind)
    spoiled = chosen | {key: chosen[key] | value for key, value in spoil.items()}
    assert judge(schemas, [spoiled])["summary"]["invalid"] == 1
