"""What a thousand idle watches cost in memory, open and after they have closed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load
from bench.measure import cpu_seconds, rss_bytes
from bench.peers import Proxy
from bench.report import Goal, Section, Table
from bench.scene import NAMESPACE, Scene

WATCHES = 1000
TARGET = (
    f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    "?allowWatchBookmarks=true&timeoutSeconds=596&watch=true"
)
FEW = 20
SETTLE_OPEN_S = 1.0
SETTLE_CLOSED_S = 3.0
MAX_LEFT_MB = 5.0
METHOD = (
    f"{WATCHES} watches of a real kube-apiserver, each on a connection of its own on both sides, "
    f"opened and closed in waves; the start is after {FEW} have come and gone. A watch's memory is "
    f"the growth of resident memory {SETTLE_OPEN_S:.0f} s after the last of a wave was open, over "
    f"{WATCHES}; left is what is still there {SETTLE_CLOSED_S:.0f} s after all of it closed."
)


@dataclass(frozen=True, slots=True)
class Waves:
    """Resident memory in bytes, and CPU time for each watch's opening."""

    start: int
    opened: Sequence[int]
    closed: Sequence[int]
    micros: float

    def kb_per_watch(self, wave: int) -> float:
        """Of one of the waves."""
        return (self.opened[wave] - self.start) / WATCHES / 1e3

    def left_mb(self, wave: int) -> float:
        """More than at the start."""
        return (self.closed[wave] - self.start) / 1e6


def measure(scene: Scene, loadgen: Path, proxies: Sequence[Proxy], *, waves: int) -> list[Section]:
    """One proxy after the other; they stand in front of a kube-apiserver."""
    done = {}
    for proxy in proxies:
        done[proxy.name] = run_waves(scene, loadgen, proxy, waves)
        print(f"  {proxy.name}: {done[proxy.name].kb_per_watch(0):.1f} KB a watch", flush=True)
    return [describe(done)]


def run_waves(scene: Scene, loadgen: Path, proxy: Proxy, waves: int) -> Waves:
    """All of one proxy."""
    hold_watches(scene, loadgen, proxy, FEW, settle_s=0.2)
    time.sleep(1)
    start = rss_bytes(proxy.pid)
    before = cpu_seconds(proxy.pid)
    opened, closed = [], []
    for _ in range(waves):
        opened.append(hold_watches(scene, loadgen, proxy, WATCHES, settle_s=SETTLE_OPEN_S))
        time.sleep(SETTLE_CLOSED_S)
        closed.append(rss_bytes(proxy.pid))
    spent = cpu_seconds(proxy.pid) - before
    return Waves(start, opened, closed, spent / waves / WATCHES * 1e6)


def hold_watches(scene: Scene, loadgen: Path, proxy: Proxy, count: int, settle_s: float) -> int:
    """Open them, read the proxy's memory, close them; all must have been open until then."""
    with Load(loadgen, scene, proxy, "watches", target=TARGET, connections=count) as prepared:
        time.sleep(settle_s)
        resident = rss_bytes(proxy.pid)
        prepared.run()
    return resident


def describe(done: Mapping[str, Waves]) -> Section:
    """A row for each proxy."""
    rows = []
    for name, waves in done.items():
        ratio = "-"
        if "envoy" in done:
            ratio = f"{waves.kb_per_watch(0) / done['envoy'].kb_per_watch(0):.2f}"
        numbers = range(len(waves.opened))
        rows.append(
            [
                name,
                ratio,
                ", ".join(f"{waves.kb_per_watch(wave):.1f}" for wave in numbers),
                f"{waves.start / 1e6:.1f}",
                ", ".join(f"{waves.left_mb(wave):.1f}" for wave in numbers),
                f"{waves.micros:.0f}",
            ]
        )
    header = ("", "× Envoy", "KB a watch", "start MB", "left MB", "CPU µs a watch")  # noqa: RUF001
    return Section("Idle watches", METHOD, [Table(header, rows)], reach_goals(done))


def reach_goals(done: Mapping[str, Waves]) -> list[Goal]:
    """Memory of a watch against Envoy's, and what the sidecar gives back."""
    if "sidecar" not in done:
        return []
    ours = done["sidecar"]
    left = [ours.left_mb(wave) for wave in range(len(ours.closed))]
    goals = [
        Goal(
            f"more resident than at the start after {WATCHES} watches have closed",
            f"≤ {MAX_LEFT_MB:.0f} MB",
            ", then ".join(f"{mb:.1f}" for mb in left) + " MB",
            max(left) <= MAX_LEFT_MB,
        )
    ]
    if "envoy" in done:
        kb, theirs = ours.kb_per_watch(0), done["envoy"].kb_per_watch(0)
        goals.insert(
            0,
            Goal(
                f"memory of an idle watch, {WATCHES} open, of envoy's",
                "≤ 1",
                f"{kb / theirs:.2f}: {kb:.1f} KB to {theirs:.1f} KB",
                kb <= theirs,
            ),
        )
    return goals
