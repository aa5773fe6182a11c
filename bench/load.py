"""The load generator: builds it once, drives its runs, refuses one with a wrong answer."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from bench.scene import Scene

SOURCE = Path(__file__).resolve().parent / "loadgen"


class WrongAnswerError(RuntimeError):
    """An answer was wrong or missing: the whole benchmark is void."""


class Server(Protocol):
    """Whatever can be loaded: a proxy, or the origin itself."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def ca_file(self) -> Path: ...
    @property
    def token_file(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run did; all of its answers were right."""

    requests: int
    seconds: float
    micros: tuple[float, ...]


def build_loadgen() -> Path:
    """The binary, from the cache when its source has not changed."""
    digest = hashlib.sha256()
    for file in sorted(SOURCE.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = base / "mca" / "bench" / f"loadgen-{digest.hexdigest()[:16]}"
    if target.exists():
        return target
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise FileNotFoundError(
            "The load generator cannot be built: install Go 1.25 or newer (https://go.dev/dl)."
        )
    print("building the load generator, once: about 10 s", file=sys.stderr, flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work:
        built = Path(work) / "loadgen"
        environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
        command = [go, "build", "-trimpath", "-buildvcs=false", "-o", str(built), "."]
        subprocess.run(command, cwd=SOURCE, env=environment, check=True)
        built.replace(target)
    return target


class Load:
    """One run against one server: open on entry, so that CPU time can be read before `run`."""

    def __init__(
        self, binary: Path, scene: Scene, server: Server, mode: str, **flags: object
    ) -> None:
        self._name = f"{server.name}, {mode}"
        command = [str(binary), mode, "-address", server.address, "-ca", str(server.ca_file)]
        command += ["-token", str(server.token_file), "-body", str(scene.body_file)]
        for name, value in flags.items():
            command += [f"-{name}", str(value)]
        self.command = command

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            first = self._read_event()
            if first["event"] != "ready":
                raise WrongAnswerError(f"{self._name}: {first['first']}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def run(self) -> Outcome:
        """Do the work that was prepared."""
        if self._process.stdin is None:
            raise RuntimeError("not open")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        done = self._read_event()
        if done["wrong"] or done["failed"] or not done["requests"]:
            counts = f"{done['wrong']} wrong, {done['failed']} failed of {done['requests']}"
            raise WrongAnswerError(f"{self._name}: {counts}: {done.get('first')}")
        return Outcome(done["requests"], done["seconds"], tuple(done.get("micros") or ()))

    def _read_event(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self._name}: the load generator ended")
        event: dict[str, Any] = json.loads(line)
        return event

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
