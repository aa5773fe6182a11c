"""A 100 MB list through a proxy: its CPU time, and how much it grows meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load
from bench.measure import cpu_seconds, peak_rss_bytes, reset_peak_rss, rss_bytes
from bench.peers import Proxy
from bench.report import Goal, Section, Table
from bench.scene import BULK_BYTES, BULK_CHUNKED, BULK_WITH_LENGTH, Scene
from bench.spread import compare, summarize

MAX_GROWTH_MB = 4.0
SLOW_BYTES_PER_S = 50_000_000
# Target and reader's pace. kube-apiserver sends its large lists in chunks.
WAYS: Mapping[str, tuple[str, int]] = {
    "chunked": (BULK_CHUNKED, 0),
    "with a length": (BULK_WITH_LENGTH, 0),
    "chunked, slow reader": (BULK_CHUNKED, SLOW_BYTES_PER_S),
}
# nginx passes bodies on as they come only where it is told so (configs/nginx.conf): for a watch.
UNBUFFERED = "nginx, unbuffered"
UNBUFFERED_QUERY = "?watch=1"
METHOD = (
    f"One download of {BULK_BYTES / 1e6:.0f} MB, checked by its CRC. Growth is the peak of "
    f"resident memory during it (VmHWM) less what was resident before; the slow reader takes "
    f"{SLOW_BYTES_PER_S / 1e6:.0f} MB a second. nginx buffers by default, which delays "
    "the events of a watch; unbuffered it streams as the others do."
)


@dataclass(frozen=True, slots=True)
class Download:
    """One of them."""

    cpu_s: float
    growth_mb: float
    seconds: float


Downloads = Mapping[str, Mapping[str, Sequence[Download]]]


def measure(scene: Scene, loadgen: Path, proxies: Sequence[Proxy], *, rounds: int) -> list[Section]:
    """Every way, in rounds that take turns."""
    sources = [(proxy.name, proxy, "") for proxy in proxies]
    sources += [(UNBUFFERED, p, UNBUFFERED_QUERY) for p in proxies if p.name == "nginx"]
    done: dict[str, dict[str, list[Download]]] = {
        way: {name: [] for name, _, _ in sources} for way in WAYS
    }
    for number in range(rounds):
        first = number % len(sources)
        for way, (target, rate) in WAYS.items():
            for name, proxy, query in [*sources[first:], *sources[:first]]:
                download = fetch(scene, loadgen, proxy, target + query, rate)
                done[way][name].append(download)
                print(
                    f"  round {number + 1} of {rounds}, {way}, {name}: "
                    f"{download.cpu_s:.3f} s of CPU, {download.growth_mb:.1f} MB more",
                    flush=True,
                )
    return [describe(done)]


def fetch(scene: Scene, loadgen: Path, proxy: Proxy, target: str, rate: int) -> Download:
    """One download."""
    flags = {"target": target, "rate": rate, "bytes": BULK_BYTES, "crc": scene.bulk_crc}
    with Load(loadgen, scene, proxy, "bulk", **flags) as prepared:
        reset_peak_rss(proxy.pid)
        resident = rss_bytes(proxy.pid)
        before = cpu_seconds(proxy.pid)
        outcome = prepared.run()
        spent = cpu_seconds(proxy.pid) - before
        growth = peak_rss_bytes(proxy.pid) - resident
    return Download(spent, growth / 1e6, outcome.seconds)


def describe(done: Downloads) -> Section:
    """A table for each way."""
    tables = []
    for way, downloads in done.items():
        cpu = {name: [one.cpu_s for one in runs] for name, runs in downloads.items()}
        rows = [
            [
                name,
                compare(cpu[name], cpu["nginx"]).show() if "nginx" in cpu else "-",
                summarize(cpu[name]).show(3),
                summarize([one.seconds for one in runs]).show(),
                summarize([one.growth_mb for one in runs]).show(1),
            ]
            for name, runs in downloads.items()
        ]
        header = (way, "× nginx", "CPU s", "s", "growth MB")  # noqa: RUF001
        tables.append(Table(header, rows))
    return Section("A 100 MB list", METHOD, tables, list(reach_goals(done)))


def reach_goals(done: Downloads) -> list[Goal]:
    """CPU against nginx as fast as it goes, growth whatever the reader does."""
    goals = []
    for way, downloads in done.items():
        if "sidecar" not in downloads:
            continue
        growth = summarize([one.growth_mb for one in downloads["sidecar"]])
        met = growth.high < MAX_GROWTH_MB
        goals.append(
            Goal(f"growth by 100 MB, {way}", f"< {MAX_GROWTH_MB:.0f} MB", growth.show(1), met)
        )
        if "nginx" in downloads and not WAYS[way][1]:
            pair = ([one.cpu_s for one in downloads[name]] for name in ("sidecar", "nginx"))
            ratio = compare(*pair)
            what = f"CPU time of 100 MB, {way}, of nginx's"
            goals.append(Goal(what, "≤ 1", ratio.show(), ratio.median <= 1))
    return goals
