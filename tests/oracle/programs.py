"""Builds and asks the small Go programs beside this file: what would the API server's code say?

Owns their cache, outside the tree. A program reads lines and writes one JSON line for each.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent


class OracleMissingError(RuntimeError):
    """The program cannot be built; the message is one sentence that says what to install."""


@functools.cache
def build_program(name: str) -> Path:
    """The program of that folder, built once for each state of its sources."""
    source = HERE / name
    digest = hashlib.sha256()
    for file in ("go.mod", "go.sum", "main.go"):
        digest.update((source / file).read_bytes())
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    target = Path(cache) / "mca" / "oracle" / f"{name}-{digest.hexdigest()[:12]}"
    if not target.exists():
        _build(source, target)
    return target


def _build(source: Path, target: Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise OracleMissingError(
            f"the oracle {source.name} must be built and there is no Go: install Go 1.26 or newer"
            " (https://go.dev/dl)."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        target.with_name(f"{target.name}.lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():  # another process built it while we waited
            return
        output = Path(work) / source.name
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
        command = [go, "build", "-trimpath", "-buildvcs=false", "-o", str(output), "."]
        built = subprocess.run(
            command, cwd=source, env=environment, capture_output=True, text=True, check=False
        )
        if built.returncode != 0:
            raise OracleMissingError(f"the oracle {source.name} did not build:\n{built.stderr}")
        output.rename(target)


class Program:
    """One of them, running: a question, an answer."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [str(build_program(name))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, question: bytes) -> Any:
        """The answer to one line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=30)


def ask_all(name: str, questions: Iterable[bytes]) -> Iterator[Any]:
    """The answers to many lines, in order."""
    done = subprocess.run(
        [str(build_program(name))],
        input=b"".join(question + b"\n" for question in questions),
        capture_output=True,
        check=True,
    )
    return map(json.loads, done.stdout.splitlines())
