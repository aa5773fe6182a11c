"""The images of the node's pods, built once and cached: pause, the application's, the sidecar's.

Owns what is in them. Must not start containers. The Dockerfile at the root says the same of the
sidecar's image for whoever has Docker; here a Debian root takes the place of the base image.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.controlplane import find_binary
from tests.node.configuration import PAUSE_IMAGE
from tests.node.host import SEARCH
from tests.node.oci import Layer, write_image, write_layer

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PYTHON_VERSION = "3.11"  # the suite's
APPLICATION_IMAGE = "mca.test/application:1"
SIDECAR_IMAGE = "mca.test/sidecar"
SIDECAR_UID = 64430
SITE = "opt/mca"
LAUNCHER = """\
#!/usr/bin/python3
from webhook.cli import main

raise SystemExit(main())
"""
# In the base, but of no use to a container.
DISPENSABLE = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache", "var/lib/apt")


def find_cache() -> Path:
    """Where roots and archives are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "mca" / "node"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_pause() -> Path:
    """What holds a pod's namespaces."""

    def fill(root: Path) -> None:
        shutil.copy2(find_binary("pause"), root / "pause")

    archive = find_cache() / f"{find_binary('pause').parent.name}.tar"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=find_cache()) as work:
            layer = _make_layer(Path(work) / "layer.tar", fill)
            config = {"Entrypoint": ["/pause"], "User": "65535:65535"}
            _write_archive(PAUSE_IMAGE, [layer], config, archive)
    return archive


def build_application() -> Path:
    """Debian, Python with the official client, kubectl: an application as people have them."""
    base = _base_layer()
    kubectl = find_binary("kubectl")
    lock = ROOT / "requirements" / "dev.lock"
    key = _hash(base.digest, kubectl.parent.name, lock.read_text())
    archive = find_cache() / f"application-{key}.tar"
    if not archive.exists():
        _say("making the application's image (once)")

        def fill(root: Path) -> None:
            (root / "usr/local/bin").mkdir(parents=True)
            shutil.copy2(kubectl, root / "usr/local/bin/kubectl")
            pins = root.parent / "pins.txt"
            pinned = re.findall(r"^[\w.-]+==[\w.]+", lock.read_text(), re.MULTILINE)
            pins.write_text("\n".join(pinned))
            _install(root / SITE, ["--constraint", str(pins), "kubernetes"])

        with tempfile.TemporaryDirectory(dir=find_cache()) as work:
            layer = _make_layer(Path(work) / "layer.tar", fill)
            _write_archive(APPLICATION_IMAGE, [base, layer], _environment(), archive)
    return archive


def build_dependencies() -> Path:
    """The layer of what the sidecar needs. Downloads once, so it is made outside of the node."""
    lock = ROOT / "requirements" / "sidecar.lock"
    target = find_cache() / f"sidecar-compiled-{_hash(lock.read_text())}.tar"
    if not target.exists():
        _say("installing the sidecar's dependencies (once)")

        def install(root: Path) -> None:
            _install(root / SITE, ["--require-hashes", "--no-deps", "--requirement", str(lock)])
            _compile(root)

        _make_layer(target, install)
    return target


def build_sidecar(target: Path) -> str:
    """Write the archive of the sidecar as it is in this tree; its digest."""

    def fill(root: Path) -> None:
        for package in ("sidecar", "webhook"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, root / SITE / package, ignore=ignored)
        command = root / "usr/local/bin/mca"
        command.parent.mkdir(parents=True)
        command.write_text(LAUNCHER)
        command.chmod(0o755)
        _compile(root)

    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        own = _make_layer(Path(work) / "layer.tar", fill)
        config = _environment() | {
            "Entrypoint": ["/usr/local/bin/mca", "sidecar"],
            "User": f"{SIDECAR_UID}:{SIDECAR_UID}",
        }
        layers = [_base_layer(), _describe_layer(build_dependencies()), own]
        return _write_archive(f"{SIDECAR_IMAGE}:1", layers, config, target)


def _base_layer() -> Layer:
    target = find_cache() / f"debian-{SUITE}-{platform.machine()}.tar"
    if not target.exists():
        _say(f"making a Debian {SUITE} root with Python (once; about 60 s)")
        _make_layer(target, _bootstrap)
    return _describe_layer(target)


def _bootstrap(root: Path) -> None:
    # Its mounts (proc) must not be seen here, where the folder is read and removed.
    command = ["unshare", "--mount", "--propagation", "private", "debootstrap"]
    _run([*command, "--variant=minbase", "--include=python3", SUITE, str(root)])
    for name in DISPENSABLE:
        shutil.rmtree(root / name, ignore_errors=True)
    for device in (root / "dev").iterdir():
        if not device.is_dir() and not device.is_symlink():
            device.unlink()


def _install(target: Path, arguments: Sequence[str]) -> None:
    """Wheels for the Python of the image, whichever runs here."""
    machine = platform.machine()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    command += ["--only-binary=:all:", "--python-version", PYTHON_VERSION, "--implementation=cp"]
    for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34"):
        command += ["--platform", f"{tag}_{machine}"]
    _run([*command, *arguments])


def _compile(root: Path) -> None:
    """By the Python of the image: a container whose root is read-only would compile at each start.

    Hashes that are not checked take the place of times, which differ between file systems.
    """
    with tempfile.TemporaryDirectory(dir=root.parent) as work:
        _run(["tar", "-xf", str(_base_layer().path), "-C", work])
        shutil.move(root / SITE, Path(work) / SITE)
        compiling = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        _run(["chroot", work, *compiling, f"/{SITE}"])
        shutil.move(Path(work) / SITE, root / SITE)


def _environment() -> dict[str, Any]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"Env": [f"PATH={path}", f"PYTHONPATH=/{SITE}", "PYTHONDONTWRITEBYTECODE=1"]}


def _make_layer(target: Path, fill: Callable[[Path], None]) -> Layer:
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        root = Path(work) / "root"
        root.mkdir()
        root.chmod(0o755)
        fill(root)
        layer = write_layer(root, Path(work) / "layer.tar")
        layer.path.rename(target)
        return Layer(target, layer.digest)


def _describe_layer(path: Path) -> Layer:
    with path.open("rb") as file:
        return Layer(path, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


def _write_archive(
    name: str, layers: Sequence[Layer], config: Mapping[str, Any], target: Path
) -> str:
    part = target.with_suffix(f".{os.getpid()}.part")
    digest = write_image(name, layers, config, platform.machine(), part)
    part.rename(target)
    return digest


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command,
        env=os.environ | {"PATH": SEARCH},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: code {done.returncode}: {done.stdout[-3000:]}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
