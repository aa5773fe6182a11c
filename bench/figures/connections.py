"""What a new TLS connection costs the proxy, on either side of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load
from bench.measure import cpu_seconds
from bench.origin import Origin
from bench.peers import Proxy
from bench.report import Section, Table
from bench.scene import CLOSING_TARGET, Scene
from bench.spread import compare, summarize

CLIENTS = 8
METHOD = (
    "CPU time of the proxy for one request on a new connection. From the client: a full TLS 1.3 "
    "handshake (X25519, ECDSA P-256) and one request over a pooled upstream connection, because no "
    "Kubernetes client was seen to resume. To the server: the origin closes after every answer, so "
    "that each request on a kept client connection needs a new one; resumed is the share of "
    "handshakes that the origin saw resumed."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One run."""

    micros: float  # CPU time for each
    resumed: float  # share of the origin's handshakes


Costs = Mapping[str, Mapping[str, Sequence[Cost]]]
# The load's mode and flags for each side.
SIDES: Mapping[str, tuple[str, dict[str, object]]] = {
    "from the client": ("newconn", {"connections": CLIENTS}),
    "to the server": ("throughput", {"connections": CLIENTS, "target": CLOSING_TARGET}),
}


def measure(
    scene: Scene,
    loadgen: Path,
    origin: Origin,
    proxies: Sequence[Proxy],
    *,
    rounds: int,
    seconds: float,
) -> list[Section]:
    """Both sides, in rounds that take turns."""
    costs: dict[str, dict[str, list[Cost]]] = {
        side: {proxy.name: [] for proxy in proxies} for side in SIDES
    }
    for number in range(rounds):
        first = number % len(proxies)
        for side, (mode, flags) in SIDES.items():
            for proxy in [*proxies[first:], *proxies[:first]]:
                load = Load(loadgen, scene, proxy, mode, duration=f"{seconds}s", **flags)
                cost = take_turn(load, origin, proxy)
                costs[side][proxy.name].append(cost)
                print(
                    f"  round {number + 1} of {rounds}, {side}, {proxy.name}: "
                    f"{cost.micros:.0f} µs, {cost.resumed:.0%} resumed",
                    flush=True,
                )
    return [describe(costs)]


def take_turn(load: Load, origin: Origin, proxy: Proxy) -> Cost:
    """One run of either side."""
    with load as prepared:
        resumed_before, all_before = origin.count_handshakes()
        before = cpu_seconds(proxy.pid)
        outcome = prepared.run()
        spent = cpu_seconds(proxy.pid) - before
        resumed, made = origin.count_handshakes()
    share = (resumed - resumed_before) / max(1, made - all_before)
    return Cost(spent / outcome.requests * 1e6, share)


def describe(costs: Costs) -> Section:
    """A row for each proxy."""
    client, server = (costs[side] for side in SIDES)
    rows = []
    for name in client:
        row = [name]
        for side in (client, server):
            micros = {who: [cost.micros for cost in runs] for who, runs in side.items()}
            row.append(summarize(micros[name]).show(0))
            row.append(compare(micros[name], micros["envoy"]).show() if "envoy" in micros else "-")
        rows.append([*row, f"{summarize([cost.resumed for cost in server[name]]).median:.0%}"])
    header = ("", "µs from client", "× Envoy", "µs to server", "× Envoy", "resumed")  # noqa: RUF001
    return Section("New connections", METHOD, [Table(header, rows)])
