"""Pods as people and other systems make them: each patched as its golden file says, and valid.

A golden file is what `mca inject` prints. After a change that is meant, write them anew by
`python -m tests.webhook.admission.test_shapes`, and read the difference.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.webhook.admission.conftest import Served
from tests.webhook.admission.scene import SETTINGS, add_access, apply_patch
from webhook.admission.injection import Patch, inject, plan_patch
from webhook.admission.outcome import Injected, RawObject
from webhook.admission.registration import MODES
from webhook.admission.removal import remove_sidecar
from webhook.cli.inject.files import rewrite_files
from webhook.cli.inject.templates import rewrite_pods

FOLDER = Path(__file__).parent / "shapes"
SHAPES = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.endswith(".injected"))
# A valueFrom, a token's volume, a port of the API's: injection leaves nothing of them.
REPLACED = ("deployment", "init-containers", "daemonset")
every_shape = pytest.mark.parametrize("shape", SHAPES)


def inject_offline(_: str, pod: RawObject) -> RawObject:
    outcome = inject(pod, MODES["standard"], SETTINGS, offline=True)
    assert isinstance(outcome, Injected), outcome
    return pod if outcome.pod == pod else outcome.pod


def find(shape: str) -> Path:
    return FOLDER / f"{shape}.yaml"


def list_pods(path: Path) -> list[RawObject]:
    found: list[RawObject] = []

    def keep(_: str, pod: RawObject) -> RawObject:
        metadata = {"name": "shape", **(pod.get("metadata") or {})}
        metadata.pop("generateName", None)
        found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]})
        return pod

    for content in yaml.safe_load_all(path.read_text()):
        rewrite_pods(content, keep)
    assert found
    return found


@every_shape
def test_it_is_injected_as_its_golden_file_says(shape: str) -> None:
    golden = FOLDER / f"{shape}.injected.yaml"
    assert rewrite_files([str(find(shape))], inject_offline) == golden.read_text()
    assert rewrite_files([str(golden)], inject_offline) == golden.read_text()


@every_shape
def test_the_way_back_is_the_shape_again(shape: str) -> None:
    for pod in list_pods(find(shape)):
        replaced = shape in REPLACED
        restored = remove_sidecar(inject_offline("", pod))
        assert (without_exceptions(restored) == without_exceptions(pod)) != replaced
        assert "mca-" not in str(restored).replace("mca.io", "")


def without_exceptions(pod: RawObject) -> RawObject:
    """The one spelling of NO_PROXY that was not there."""
    for container in pod["spec"]["containers"]:
        env = [item for item in container.get("env", ()) if item["name"].lower() != "no_proxy"]
        container.pop("env", None)
        if env:
            container["env"] = env
    return pod


@every_shape
def test_the_patch_of_an_arriving_pod_is_what_injection_makes(shape: str) -> None:
    for pod in map(add_access, list_pods(find(shape))):
        patch = plan_patch(pod, MODES["standard"], SETTINGS)
        outcome = inject(pod, MODES["standard"], SETTINGS)
        assert isinstance(patch, Patch)
        assert isinstance(outcome, Injected)
        patched = apply_patch(pod, patch.operations)
        assert patched == outcome.pod
        assert plan_patch(patched, MODES["standard"], SETTINGS) == Patch([], patch.warnings)
        assert "kube-api-access" not in str(patched)


@pytest.mark.apiserver
@every_shape
def test_a_real_api_server_takes_it(shape: str, served: Served) -> None:
    """The golden file as it is, and the shape by way of the webhook, where it was taken before."""
    level = find(shape).read_text().split("\n", 1)[0].removeprefix("# pod-security: ")
    golden, plain = f"golden-{shape}", f"shape-{shape}"
    served.create_namespace(golden, pod_security=level)
    served.create_namespace(plain, pod_security=level, injection="enabled")
    served.plane.kubectl(
        "create", "--dry-run=server", "-n", golden, "-f", str(FOLDER / f"{shape}.injected.yaml")
    )
    for pod in list_pods(FOLDER / f"{shape}.injected.yaml"):
        made = create(served, golden, pod)
        assert plan_patch(made, MODES["standard"], SETTINGS)[0] == []
    for pod in list_pods(find(shape)):
        create(served, golden, pod)
        made = wait_until_injected(partial(create, served, plain, pod))
        assert made["spec"]["initContainers"][0]["name"] == "mca"
        assert plan_patch(made, MODES["standard"], SETTINGS)[0] == []


def create(served: Served, namespace: str, pod: RawObject) -> RawObject:
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict"
    answer = served.plane.request("POST", path, pod)
    assert answer.status == 201, answer.body.decode()
    made: RawObject = answer.json()
    return made


def wait_until_injected(make: Any) -> RawObject:
    """The API server sees the registration and the namespace's label a moment later."""
    deadline = time.monotonic() + 20
    while True:
        made: RawObject = make()
        if made["spec"].get("initContainers", [{}])[0].get("name") == "mca":
            return made
        assert time.monotonic() < deadline, made
        time.sleep(0.1)


if __name__ == "__main__":
    for name in SHAPES:
        text = rewrite_files([str(find(name))], inject_offline)
        (FOLDER / f"{name}.injected.yaml").write_text(text)
