"""`mca inject` and `mca uninject` at a terminal."""

import subprocess
from pathlib import Path

import pytest

from tests.webhook.admission.scene import IMAGE
from tests.webhook.admission.test_shapes import FOLDER
from tests.webhook.cli.run.scene import MCA
from tests.webhook.cli.test_entry import mca

SHAPE = str(FOLDER / "deployment.yaml")
GOLDEN = FOLDER / "deployment.injected.yaml"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: app, image: x}]"


def test_a_file_and_standard_input() -> None:
    done = mca("inject", "-f", SHAPE, "--image", IMAGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == GOLDEN.read_text()
    assert mca("inject", "-f", SHAPE, env={"MCA_SIDECAR_IMAGE": IMAGE}).stdout == done.stdout
    piped = subprocess.run(
        [MCA, "inject", "-f", "-", "--image", IMAGE],
        input=done.stdout, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert piped.stdout == done.stdout


def test_the_way_back() -> None:
    done = mca("uninject", "-f", str(GOLDEN), "-f", str(FOLDER / "job.injected.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "mca-" not in done.stdout
    again = subprocess.run(
        [MCA, "uninject", "-f", "-"], input=done.stdout, capture_output=True, text=True, check=True
    )
    assert again.stdout == done.stdout


def test_what_is_skipped_or_odd_is_told(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"{POD[:-2]}, envFrom: [{{}}]}}]}}\n---\n{POD}, hostNetwork: true}}")
    done = mca("inject", "-f", str(file), "--image", IMAGE)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "mca: Pod p: container app: if its envFrom sets a proxy, let its NO_PROXY name"
        " 127.0.0.1,localhost,::1,kubernetes.default.svc",
        "mca: Pod p: host-network: a pod with hostNetwork has no loopback of its own",
    ]
    assert done.stdout.endswith(f"---\n{POD}, hostNetwork: true}}\n")


def test_of_a_refusal_nothing_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"{POD}, hostPID: true}}\n")
    assert mca("inject", "-f", str(file), "--image", IMAGE).returncode == 0
    done = mca("inject", "-f", str(file), "-f", SHAPE, "--image", IMAGE, "--enforced")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "mca: Pod p: host-pid: spec.hostPID: leave it out: it opens the sidecar's processes",
        "mca: nothing is printed: refused are Pod p",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("inject", "-f", SHAPE), "mca inject: --image is missing: name the sidecar's image"),
        (("inject", "-f", SHAPE, "--image", "x:1"), "mca inject: --image: 'x:1' is not an image"),
        (("inject", "--image", IMAGE), "mca inject: the following arguments are required: -f"),
        (("inject", "-f", "/none", "--image", IMAGE), "mca: /none: No such file or directory"),
        (("uninject", "-f", "/none"), "mca: /none: No such file or directory"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], told: str) -> None:
    done = mca(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_no_manifest(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(b"\xff")
    assert f"mca: {file}: is not UTF-8" in mca("uninject", "-f", str(file)).stderr
    file.write_text("kind: Pod\napiVersion: v1\nspec: {containers: x}\n")
    told = f"mca: {file}: Pod *: spec.containers is not a list\n"
    assert mca("uninject", "-f", str(file)).stderr == told
    assert mca("inject", "-f", str(file), "--image", IMAGE).returncode == 1
