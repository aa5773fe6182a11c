"""`mca demo` as it is run: the story it tells is checked against what must be in it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import find_binary
from tests.webhook.cli.run.scene import MCA, find_processes, wait_until

# In this order; anything may stand between.
STORY = (
    r"1\. Two real clusters",
    r"starting etcd and kube-apiserver twice, as home and eu-1 \.\.\.",
    r"home: kube-apiserver v1\.36\.\d+ at https://127\.0\.0\.1:\d+, ready after",
    r"eu-1: kube-apiserver v1\.36\.\d+ at https://127\.0\.0\.1:\d+, ready after",
    r"2\. One tenant and one route",
    r'"tenant": \{"name": "acme"',
    r'"routes": \[\{"name": "dev"',
    r"team-a-dev is served by eu-1",
    r"3\. The sidecar, as in a pod",
    r"serves https://127\.0\.0\.1:\d+, ready after \d+ ms with \d+ MB",
    r"4\. The application's container",
    r"KUBERNETES_SERVICE_HOST=127\.0\.0\.1",
    r"ok: its token is the sidecar's \(mca-app\.\S+\.\.\.\), none of the clusters",
    r"5\. kubectl, unmodified",
    r"configmap/greeting created",
    r"ok: a ConfigMap is created",
    r"greeting +1 ",
    r"ok: and listed",
    r"6\. The same API, another cluster",
    r"configmap/build created",
    r"ok: it is on eu-1, and home has none",
    r"build +1 ",
    r"ok: kubectl sees it as any other",
    r"7\. A Python program",
    r"listed greeting: \{'text': 'hello'\}",
    r"watching",
    r"configmap/greeting patched",
    r"modified greeting: \{'text': 'hello, world'\}",
    r"refused 403: mca guard/token-request: ",
    r"ok: it listed .*\n.*ok: it saw .*\n.*ok: it was refused .*\n.*ok: it ended well",
    r"8\. Outside the tenant",
    r"\(Forbidden\): mca tenant/namespace: namespace 'team-b' is not one of",
    r"ok: refused by the rule tenant/namespace",
    r"ok: its service account may: by RBAC alone it reads them \(200\)",
    r"operator \$ mca explain --snapshot snapshot\.json list configmaps -n team-b",
    r"denied by tenant/namespace\n",
    r"scope +refused: tenant/namespace\n",
    r"ok: the same rule, and nothing sent",
    r"9\. What no application gets",
    r"mca guard/token-request: ",
    r"ok: refused by the rule",
    r"ok: its service account may: without the sidecar the API server grants it \(201\)",
    r"10\. What its token is worth elsewhere",
    r"You must be logged in to the server",
    r"ok: nothing: 401",
    r"11\. Who did what",
    r"app  create  configmaps +permit  permission/all +home  201",
    r"app  create  configmaps +permit  permission/all +eu-1  201",
    r"app  patch   configmaps/greeting +permit  permission/all +home  200",
    r"app  create  serviceaccounts/app/token +denial  guard/token-request +-     403",
    r"app  list    configmaps +denial  tenant/namespace +-     403",
    r'\{"type":"audit","v":1,',
    r"ok: \d+ calls, 3 of them refused",
    r"ok: home's own audit log .* under the same ids, as system:serviceaccount:team-a:app",
    r"ok: eu-1's own audit log .* under the same ids, as system:serviceaccount:team-a-dev:app",
    r"ok: and neither has ever heard of those that were refused",
    r"All of this happened as told\.",
)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a person's shell, with a mark by which the processes are found again."""
    (tmp_path / "tmp").mkdir()
    kubectl = find_binary("kubectl").parent.parent
    yield {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_CACHE_HOME": str(kubectl.parents[1]),
        "KUBEBUILDER_ASSETS": os.environ.get("KUBEBUILDER_ASSETS", ""),
        **{name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")},
    }
    assert list((tmp_path / "tmp").iterdir()) == []
    assert find_processes(str(tmp_path)) == []


def test_the_story(env: dict[str, str]) -> None:
    done = subprocess.run(
        [MCA, "demo"], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "FAILED" not in done.stdout
    assert "\x1b" not in done.stdout
    place = 0
    for pattern in STORY:
        found = re.compile(pattern).search(done.stdout, place)
        assert found, f"{pattern!r} is not in the rest of:\n{done.stdout[place:]}"
        place = found.end()


def test_without_mounts_a_kubeconfig_does_it_and_it_is_said(
    env: dict[str, str], tmp_path: Path
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "unshare").write_text("#!/bin/sh\necho 'unshare: not permitted' >&2\nexit 1\n")
    (bin_folder / "unshare").chmod(0o755)
    env["PATH"] = f"{bin_folder}:{env['PATH']}"
    done = subprocess.run(
        [MCA, "demo"], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be mounted here (unshare: not permitted):" in done.stdout
    assert "All of this happened as told." in done.stdout


def test_it_can_be_interrupted_and_leaves_nothing(env: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [MCA, "demo"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("5."):
            break
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (
        130,
        "mca: interrupted; everything is stopped and removed\n",
    )
    wait_until(lambda: find_processes(str(tmp_path)) == [], "the end of all", 10)


def test_from_an_installed_wheel_it_says_what_is_missing(tmp_path: Path) -> None:
    """The packages without the checkout around them."""
    root = Path(__file__).resolve().parents[4]
    for name in ("sidecar", "webhook"):
        (tmp_path / name).symlink_to(root / name)
    code = (
        "import sys\n"
        f"sys.path[:] = [{str(tmp_path)!r}] + [p for p in sys.path if p != {str(root)!r}]\n"
        "sys.path_importer_cache.clear()\n"
        "from webhook.cli import main\n"
        "sys.exit(main(['demo']))\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert time.monotonic() - began < 10
    assert done.returncode == 64
    assert done.stderr == (
        "mca: the demo runs from a checkout of the project, where tests/controlplane is;"
        " get one and run `make demo`\n"
    )
