"""Where the binaries of a control plane, of a node and of a chart's tests come from.

Owns finding them (KUBEBUILDER_ASSETS, PATH, our cache) and building them from the pinned modules
beside this file. Must not start any of them but to ask for its version.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
KUBERNETES_VERSION = "1.36.3"
ETCD_VERSION = "3.6.16"
CONTAINERD_VERSION = "2.4.2"
HELM_VERSION = "3.22.0"
KUBECONFORM_VERSION = "0.8.0"
BUILD_FLAGS = ("-trimpath", "-buildvcs=false")
REPORT_EVERY_S = 15.0


class BinaryMissingError(RuntimeError):
    """Neither found nor buildable; the message is one sentence that says what to install."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one binary is built, and how to see that one found elsewhere is near enough."""

    name: str
    module: str  # folder beside this file that holds go.mod and go.sum
    package: str
    version: str
    version_command: tuple[str, ...]  # empty: made here, never found
    accepted: str  # regular expression that the version command's output must contain
    usual_s: int  # measured on 2 cores with nothing cached
    ldflags: str = "-s -w"


def _stamp(version: str) -> str:
    """Linker flags without which the binaries call themselves v0.0.0-master."""
    major, minor, _ = version.split(".")
    values = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    stamps = [f"-X {p}.{key}={value}" for p in packages for key, value in values.items()]
    return " ".join(["-s -w", *stamps])


def _kubernetes(
    name: str, usual_s: int, version_command: tuple[str, ...], module: str = "kubernetes"
) -> Recipe:
    return Recipe(
        name=name,
        module=module,
        package=f"k8s.io/kubernetes/cmd/{name}",
        version=KUBERNETES_VERSION,
        version_command=version_command,
        accepted=r"v1\.36\.\d+",
        usual_s=usual_s,
        ldflags=_stamp(KUBERNETES_VERSION),
    )


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="etcd",
            module="etcd",
            package="go.etcd.io/etcd/server/v3",
            version=ETCD_VERSION,
            version_command=("--version",),
            accepted=r"etcd Version: 3\.6\.\d+",
            usual_s=70,
        ),
        _kubernetes("kube-apiserver", 264, ("--version",)),
        _kubernetes("kubectl", 40, ("version", "--client")),
        _kubernetes("kube-controller-manager", 72, ("--version",)),
    )
}


def _of_node(name: str, usual_s: int) -> Recipe:
    """From a module of its own: what a node needs is built anew without the API server."""
    return _kubernetes(name, usual_s, ("--version",), module="kubernetes-node")


def _containerd(name: str, usual_s: int, version_argument: str) -> Recipe:
    module = "github.com/containerd/containerd/v2"
    return Recipe(
        name=name,
        module="containerd",
        package=f"{module}/cmd/{name}",
        version=CONTAINERD_VERSION,
        version_command=(version_argument,),
        accepted=r"\bv?2\.4\.\d+",
        usual_s=usual_s,
        ldflags=f"-s -w -X {module}/version.Version={CONTAINERD_VERSION}",
    )


NODE_RECIPES = {
    recipe.name: recipe
    for recipe in (
        _of_node("kubelet", 145),
        _of_node("kube-scheduler", 20),
        _of_node("kube-proxy", 20),
        _containerd("containerd", 155, "--version"),
        _containerd("containerd-shim-runc-v2", 10, "-v"),
        _containerd("ctr", 10, "--version"),
        Recipe(
            name="pause",
            module="../node/pause",
            package=".",
            version="1",  # to be raised when its source changes
            version_command=(),
            accepted="",
            usual_s=5,
        ),
    )
}


# As its own Makefile does: without it, it takes clusters it does not ask for 1.20.
_HELM_PARTS = ("pkg/lint/rules", "pkg/chartutil")
CHART_RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="helm",
            module="helm",
            package="helm.sh/helm/v3/cmd/helm",
            version=HELM_VERSION,
            version_command=("version", "--short"),
            accepted=r"v3\.22\.\d+",
            usual_s=60,
            ldflags=" ".join(
                [
                    f"-s -w -X helm.sh/helm/v3/internal/version.version=v{HELM_VERSION}",
                    *(f"-X helm.sh/helm/v3/{part}.k8sVersionMajor=1" for part in _HELM_PARTS),
                    *(f"-X helm.sh/helm/v3/{part}.k8sVersionMinor=37" for part in _HELM_PARTS),
                ]
            ),
        ),
        Recipe(
            name="kubeconform",
            module="kubeconform",
            package="github.com/yannh/kubeconform/cmd/kubeconform",
            version=KUBECONFORM_VERSION,
            version_command=("-v",),
            accepted=r"v0\.8\.\d+",
            usual_s=10,
            ldflags=f"-s -w -X main.version=v{KUBECONFORM_VERSION}",
        ),
    )
}


@functools.cache
def find_binary(name: str) -> Path:
    """The path of one binary: a fitting one that is here already, else built and cached."""
    recipe = (RECIPES | CHART_RECIPES | NODE_RECIPES)[name]
    for candidate in _candidates(name):
        if _is_near_enough(recipe, candidate):
            return candidate
    cached = _cache_folder() / _cache_key(recipe) / name
    if not cached.exists():
        _build(recipe, cached)
    return cached


def _candidates(name: str) -> Iterator[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (found := shutil.which(name, path=assets)):
        yield Path(found)
    if found := shutil.which(name):
        yield Path(found)


def _is_near_enough(recipe: Recipe, candidate: Path) -> bool:
    if not recipe.version_command:
        return False
    command = [str(candidate), *recipe.version_command]
    environment = os.environ | {"KUBECONFIG": os.devnull}
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(recipe.accepted, answer.stdout + answer.stderr) is not None


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mca" / "controlplane"


def _cache_key(recipe: Recipe) -> str:
    digest = hashlib.sha256(f"{recipe.package} {BUILD_FLAGS} {recipe.ldflags}".encode())
    for name in ("go.mod", "go.sum"):
        digest.update((HERE / recipe.module / name).read_bytes())
    system = f"{platform.system()}-{platform.machine()}".lower()
    return f"{recipe.name}-{recipe.version}-{system}-{digest.hexdigest()[:12]}"


def _build(recipe: Recipe, target: Path) -> None:
    """Build into a temporary folder and rename it, so that the cache never holds half a file."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise BinaryMissingError(
            f"{recipe.name} {recipe.version} is neither in KUBEBUILDER_ASSETS nor on PATH and"
            " cannot be built: install Go 1.26 or newer (https://go.dev/dl), or set"
            " KUBEBUILDER_ASSETS to a folder with etcd 3.6 and with kube-apiserver,"
            " kube-controller-manager and kubectl 1.36."
        )
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(target.parent.with_name(f"{target.parent.name}.lock"), recipe.name):
        if target.exists():  # another process built it while we waited
            return
        with tempfile.TemporaryDirectory(dir=target.parent.parent, prefix=".build-") as work:
            _go_build(go, recipe, Path(work) / "out" / recipe.name)
            (Path(work) / "out").rename(target.parent)


def _go_build(go: str, recipe: Recipe, output: Path) -> None:
    began = time.monotonic()
    _say(
        f"building {recipe.name} {recipe.version} (once; about {recipe.usual_s} s on two cores, "
        "much less when Go has the parts cached)"
    )
    command = [go, "build", *BUILD_FLAGS, "-ldflags", recipe.ldflags, "-o", str(output)]
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    build = subprocess.Popen([*command, recipe.package], cwd=HERE / recipe.module, env=environment)
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = build.wait(timeout=REPORT_EVERY_S)
                break
            _say(f"building {recipe.name}: {time.monotonic() - began:.0f} s so far")
    except BaseException:
        build.kill()
        build.wait()
        raise
    if code != 0:
        raise BinaryMissingError(
            f"{recipe.name} {recipe.version} could not be built: `go build` ended with code {code};"
            " its own message is above."
        )
    _say(f"built {recipe.name} in {time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def _exclusive(path: Path, name: str) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"another process is building {name}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
