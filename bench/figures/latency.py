"""What a proxy adds to a request's time at a gentle, fixed rate."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from bench.load import Load, Server
from bench.origin import Origin
from bench.report import Goal, Section, Table
from bench.scene import Scene
from bench.spread import Spread, percentile, summarize

DIRECT = Origin.name
CONNECTIONS = 16
RATE = 500
SHARES = {"p50": 0.5, "p99": 0.99}
METHOD = (
    f"{RATE} requests a second in an open loop over {CONNECTIONS} keep-alive connections; each "
    "is timed from when it was due, so that a stall counts for all that it delays. Added is what "
    "the median round took longer than the median round straight to the origin; many short rounds, "
    "so that the machine's own stalls spoil few. p99.9 is of all rounds together."
)

Micros = Mapping[str, Sequence[Sequence[float]]]


def measure(
    scene: Scene, loadgen: Path, servers: Sequence[Server], *, rounds: int, seconds: float
) -> list[Section]:
    """Microseconds of every request, in rounds that take turns."""
    micros: dict[str, list[Sequence[float]]] = {server.name: [] for server in servers}
    for number in range(rounds):
        first = number % len(servers)
        for server in [*servers[first:], *servers[:first]]:
            flags = {"connections": CONNECTIONS, "rate": RATE, "duration": f"{seconds}s"}
            with Load(loadgen, scene, server, "paced", **flags) as prepared:
                taken = prepared.run().micros
            micros[server.name].append(taken)
            shown = ", ".join(f"{name} {percentile(taken, s):.0f}" for name, s in SHARES.items())
            print(f"  round {number + 1} of {rounds}, {server.name}: {shown} µs", flush=True)
    return [describe(micros)]


def describe(micros: Micros) -> Section:
    """Absolute percentiles, what is added, and the ratio of that to Envoy's."""
    rows = []
    for name, rounds in micros.items():
        row = [name]
        for share in SHARES.values():
            row += [spread_of(rounds, share).show(0), f"{find_added(micros, name, share):,.0f}"]
        rows.append([*row, f"{percentile(list(chain.from_iterable(rounds)), 0.999):,.0f}"])
    header = ("", "p50 µs", "added", "p99 µs", "added", "p99.9 µs")
    goals = [
        reach_goal(micros, label, share)
        for label, share in SHARES.items()
        if {"sidecar", "envoy"} <= micros.keys()
    ]
    return Section("Latency", METHOD, [Table(header, rows)], goals)


def spread_of(rounds: Sequence[Sequence[float]], share: float) -> Spread:
    """One percentile, over the rounds."""
    return summarize([percentile(taken, share) for taken in rounds])


def find_added(micros: Micros, name: str, share: float) -> float:
    """What the proxy makes it longer."""
    return spread_of(micros[name], share).median - spread_of(micros[DIRECT], share).median


def reach_goal(micros: Micros, label: str, share: float) -> Goal:
    """Both proxies add to the same direct latency, so the comparison needs no quotient of noise."""
    ours, theirs = (find_added(micros, name, share) for name in ("sidecar", "envoy"))
    ratio = f"{ours / theirs:.2f}: " if theirs > 0 else ""
    return Goal(
        f"added latency {label} at {RATE} requests/s, of envoy's",
        "≤ 1",
        f"{ratio}{ours:,.0f} µs to {theirs:,.0f} µs",
        ours <= theirs,
    )
