"""The images of the node's pods, built once and cached: pause, the application's, the clients'.

Owns the Debian root below them all, and how layers are filled. Must not start containers.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.builds import build_go, install_npm, node as find_javascript
from tests.controlplane import find_binary
from tests.node.configuration import PAUSE_IMAGE
from tests.node.host import SEARCH
from tests.node.oci import Layer, write_image, write_layer

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PYTHON_VERSION = "3.11"  # the suite's
APPLICATION_IMAGE = "mca.test/application:1"
CLIENTS_IMAGE = "mca.test/clients:1"
SITE = "opt/mca"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"Env": [f"PATH={PATH}", f"PYTHONPATH=/{SITE}", "PYTHONDONTWRITEBYTECODE=1"]}
# Programs that tell a client's story: tests/clients has them.
GO_CLIENT = "/opt/clients/go"
JAVASCRIPT_CLIENT = ("/opt/clients/node", "/opt/clients/story.mjs", "/opt/clients/javascript")
# As pip in the image would choose: by its glibc, the newest first; its compiled files would name
# folders of the build, and what they are made of by its time.
WHEELS = ("manylinux_2_36", "manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
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
            layer = make_layer(Path(work) / "layer.tar", fill)
            config = {"Entrypoint": ["/pause"], "User": "65535:65535"}
            write_archive(PAUSE_IMAGE, [layer], config, archive)
    return archive


def build_application() -> Path:
    """Debian, Python with the official client, kubectl: an application as people have them."""
    archive = find_cache() / f"application-{_name_application()}.tar"
    if not archive.exists():
        say("making the application's image (once)")
        with _working("application-*.tar") as work:
            layer = make_layer(work / "layer.tar", _fill_application)
            write_archive(APPLICATION_IMAGE, [find_base(), layer], ENVIRONMENT, archive)
    return archive


def build_clients() -> Path:
    """Debian with the clients for Go and JavaScript, and what tells their stories."""
    go, modules = build_go("go"), install_npm("2.x")
    story = ROOT / "tests" / "clients" / "javascript" / "story.mjs"
    key = hash_texts(find_base().digest, go.parent.name, modules.name, story.read_text())
    archive = find_cache() / f"clients-{key}.tar"
    if archive.exists():
        return archive
    say("making the clients' image (once)")

    def fill(root: Path) -> None:
        clients = root / "opt" / "clients"
        clients.mkdir(parents=True)
        for source, target in ((go, "go"), (find_javascript(), "node"), (story, "story.mjs")):
            shutil.copy2(source, clients / target)
        shutil.copytree(modules / "node_modules", clients / "javascript" / "node_modules")

    with _working("clients-*.tar") as work:
        layer = make_layer(work / "layer.tar", fill)
        write_archive(CLIENTS_IMAGE, [find_base(), layer], ENVIRONMENT, archive)
    return archive


def _name_application() -> str:
    lock = (ROOT / "requirements" / "dev.lock").read_text()
    return hash_texts(find_base().digest, find_binary("kubectl").parent.name, lock)


def _fill_application(root: Path) -> None:
    (root / "usr/local/bin").mkdir(parents=True)
    shutil.copy2(find_binary("kubectl"), root / "usr/local/bin/kubectl")
    lock = (ROOT / "requirements" / "dev.lock").read_text()
    pins = root.parent / "pins.txt"
    pins.write_text("\n".join(re.findall(r"^[\w.-]+==[\w.]+", lock, re.MULTILINE)))
    install_wheels(root / SITE, ["--constraint", str(pins), "kubernetes"])


@contextmanager
def _working(stale: str) -> Iterator[Path]:
    """A folder beside the archives, of which older ones go: they are large."""
    for path in find_cache().glob(stale):
        path.unlink()
    with tempfile.TemporaryDirectory(dir=find_cache()) as work:
        yield Path(work)


def find_base() -> Layer:
    """A Debian root with Python, made once."""
    target = find_cache() / f"debian-{SUITE}-{platform.machine()}.tar"
    if not target.exists():
        say(f"making a Debian {SUITE} root with Python (once; about 60 s)")
        make_layer(target, _bootstrap)
    return measure_layer(target)


def _bootstrap(root: Path) -> None:
    # Its mounts (proc) must not be seen here, where the folder is read and removed.
    command = ["unshare", "--mount", "--propagation", "private", "debootstrap"]
    _run([*command, "--variant=minbase", "--include=python3", SUITE, str(root)])
    for name in DISPENSABLE:
        shutil.rmtree(root / name, ignore_errors=True)
    for device in (root / "dev").iterdir():
        if not device.is_dir() and not device.is_symlink():
            device.unlink()


# How layers are filled


def install_wheels(target: Path, arguments: Sequence[str]) -> None:
    """Wheels for the Python of the image, whichever runs here."""
    machine = platform.machine()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    command += ["--no-compile", "--only-binary=:all:"]
    command += ["--python-version", PYTHON_VERSION, "--implementation=cp"]
    for tag in WHEELS:
        command += ["--platform", f"{tag}_{machine}"]
    _run([*command, *arguments])


def compile_site(root: Path) -> None:
    """By the Python of the image: a container whose root is read-only would compile at each start.

    Hashes that are not checked take the place of times, which differ between file systems.
    """
    with tempfile.TemporaryDirectory(dir=root.parent) as work:
        _run(["tar", "-xf", str(find_base().path), "-C", work])
        shutil.move(root / SITE, Path(work) / SITE)
        compiling = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        _run(["chroot", work, *compiling, f"/{SITE}"])
        shutil.move(Path(work) / SITE, root / SITE)


def make_layer(target: Path, fill: Callable[[Path], None]) -> Layer:
    """A layer of what `fill` puts into a root; `target` is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        root = Path(work) / "root"
        root.mkdir()
        root.chmod(0o755)
        fill(root)
        layer = write_layer(root, Path(work) / "layer.tar")
        layer.path.rename(target)
        return Layer(target, layer.digest)


def measure_layer(path: Path) -> Layer:
    """A layer that is there."""
    with path.open("rb") as file:
        return Layer(path, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


def write_archive(
    name: str, layers: Sequence[Layer], config: Mapping[str, Any], target: Path
) -> str:
    """The image's digest; its archive is there whole or not at all."""
    part = target.with_suffix(f".{os.getpid()}.part")
    digest = write_image(name, layers, config, platform.machine(), part)
    part.rename(target)
    return digest


def hash_texts(*texts: str) -> str:
    """A short key of what something is made of."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


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
