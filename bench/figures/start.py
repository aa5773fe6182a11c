"""From exec to ready, and resident memory then, beside an interpreter that only imports."""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.adapter import START, Setup, is_ready, prepare, python_command
from bench.measure import rss_bytes
from bench.report import Goal, Section, Table
from bench.scene import Scene, Upstream
from bench.spread import compare, summarize

MAX_RATIO = 1.5
MAX_RSS_MB = 24.0
POLL_S = 0.0005
PATIENCE_S = 20.0
BARE = "imports alone"
FIRST = "first start"
AGAIN = "start with an identity"
IMPORTS = "import asyncio, ssl, uvloop, httptools, os; os.write(1, b'.'); sys.stdin.read()"
METHOD = (
    "From exec to the first 200 of /readyz, looked at every 0.5 ms; the imports (asyncio, ssl, "
    "uvloop, httptools under `python -I -S`) end with a byte on a pipe. The first start mints the "
    "pod's identity; the other finds one, as after a restart. All in turns."
)


@dataclass(frozen=True, slots=True)
class Start:
    """One of them."""

    ms: float
    rss_mb: float


def measure(scene: Scene, upstream: Upstream, *, rounds: int) -> list[Section]:
    """All ways in every round; the first round fills caches and is not counted."""
    setup = prepare(scene, upstream, "start")
    ways: Mapping[str, Callable[[], Start]] = {
        BARE: start_bare,
        FIRST: lambda: start_first(setup),
        AGAIN: lambda: start_sidecar(setup),
    }
    done: dict[str, list[Start]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = way()
            if number:
                done[name].append(started)
    return [describe(done)]


def start_bare() -> Start:
    """The interpreter with its imports."""
    began = time.perf_counter()
    with subprocess.Popen(
        python_command(IMPORTS), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stdout.read(1) != b".":
            raise RuntimeError("the imports failed")
        taken = time.perf_counter() - began
        return Start(taken * 1000, rss_bytes(process.pid) / 1e6)


def start_first(setup: Setup) -> Start:
    """With nothing there."""
    for name in ("identity", "clients"):
        shutil.rmtree(setup.folder / name, ignore_errors=True)
    return start_sidecar(setup)


def start_sidecar(setup: Setup) -> Start:
    """With what is there."""
    with (setup.folder / "output.log").open("ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            python_command(START), env=setup.environment, stdout=output, stderr=output
        )
        try:
            while not is_ready(setup.admin_port):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                    raise RuntimeError((setup.folder / "output.log").read_text()[-3000:])
                time.sleep(POLL_S)
            taken = time.perf_counter() - began
            return Start(taken * 1000, rss_bytes(process.pid) / 1e6)
        finally:
            process.kill()
            process.wait()


def describe(done: Mapping[str, Sequence[Start]]) -> Section:
    """Ratios are of the starts of one round."""
    ms = {name: [start.ms for start in starts] for name, starts in done.items()}
    rss = {name: summarize([start.rss_mb for start in starts]) for name, starts in done.items()}
    rows = [
        [name, compare(ms[name], ms[BARE]).show(), summarize(ms[name]).show(1), rss[name].show(1)]
        for name in done
    ]
    ratio = compare(ms[FIRST], ms[BARE])
    goals = [
        Goal(
            "first start to ready, of the imports alone",
            f"≤ {MAX_RATIO}",
            ratio.show(),
            ratio.median <= MAX_RATIO,
        ),
        Goal(
            "resident when ready",
            f"{MAX_RSS_MB:.0f} MB",
            rss[FIRST].show(1) + " MB",
            rss[FIRST].median <= MAX_RSS_MB,
        ),
    ]
    return Section("Start", METHOD, [Table(("", "× imports", "ms", "RSS MB"), rows)], goals)  # noqa: RUF001
