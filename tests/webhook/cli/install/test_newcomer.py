"""A newcomer follows the README on an empty cluster: its own lines, as they stand, in a shell."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.binaries import find_binary
from tests.test_readme import README
from tests.webhook.cli.check.scene import CONTROL, SIDECAR, bare_pod
from tests.webhook.cli.install.cluster import Cluster
from tests.webhook.cli.run.scene import MCA

pytestmark = pytest.mark.apiserver
_SHOWN = re.compile(r"<!-- newcomer -->\n(.*?)<!-- /newcomer -->", re.DOTALL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def list_commands() -> list[str]:
    shown = _SHOWN.search(README)
    assert shown is not None
    return [line.removeprefix("    ") for line in shown[1].splitlines()]


def run(command: str, cluster: Cluster) -> subprocess.CompletedProcess[str]:
    """With images that have digests in place of those that are shown."""
    for name, image in (("sidecar", SIDECAR), ("control", CONTROL)):
        command = command.replace(f"registry.example.com/mca-{name}@sha256:…", image)
    folders = [Path(MCA).parent, Path(find_binary("kubectl")).parent]
    environment = {
        **{key: text for key, text in os.environ.items() if key.startswith("COVERAGE_")},
        "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]),
        "KUBECONFIG": str(cluster.plane.admin_kubeconfig()),
        "HOME": str(cluster.folder),
    }
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_from_nothing_to_a_working_namespace_in_under_five_commands(cluster: Cluster) -> None:
    """What builds images is not run here: it has a test of its own, and prints the second line."""
    making, *commands = list_commands()
    assert making.startswith("make images REGISTRY=")
    assert 1 + len(commands) < 5
    for command in [*commands, "mca check -n team-a"]:
        done = run(command, cluster)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{cluster.node.log()}"
    made = cluster.plane.request("POST", "/api/v1/namespaces/team-a/pods", bare_pod())
    assert made.status == 201, made.body
    assert made.json()["spec"]["initContainers"][0]["image"] == SIDECAR
