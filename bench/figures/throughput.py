"""Requests per second of the proxy's CPU time, in rounds that take turns."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load
from bench.measure import cpu_seconds, rss_bytes
from bench.peers import Proxy
from bench.report import Goal, Section, Table
from bench.scene import Scene
from bench.spread import compare, summarize

CONNECTIONS = 16
LOG_PATIENCE_S = 12.0
# Wanted by mix: of what, the least ratio.
GOALS: Mapping[str, Mapping[str, float]] = {
    "A": {"envoy": 1.4, "nginx": 0.8},
    "B": {"envoy": 1.0},
    "C": {},
}
MIXES = {
    "A": "the same GET on every connection",
    "B": "a fresh traceparent each, 1,000 targets, 10 % POST of 762 bytes",
    "C": "as B, but no target comes twice (no goal was set for it)",
}


@dataclass(frozen=True, slots=True)
class Round:
    """One proxy's turn."""

    per_cpu_second: float
    per_second: float
    busy: float  # CPU seconds per second
    rss: int


def measure(
    scene: Scene,
    loadgen: Path,
    proxies: Sequence[Proxy],
    mixes: str,
    *,
    rounds: int,
    seconds: float,
) -> list[Section]:
    """A section for each mix."""
    return [
        describe(mix, run_mix(scene, loadgen, proxies, mix, rounds=rounds, seconds=seconds))
        for mix in mixes
    ]


def run_mix(
    scene: Scene, loadgen: Path, proxies: Sequence[Proxy], mix: str, *, rounds: int, seconds: float
) -> dict[str, list[Round]]:
    """Every proxy in every round, each round in another order."""
    done: dict[str, list[Round]] = {proxy.name: [] for proxy in proxies}
    for proxy in proxies:
        warm_up(scene, loadgen, proxy, mix)
    for number in range(rounds):
        first = number % len(proxies)
        for proxy in [*proxies[first:], *proxies[:first]]:
            turn = take_turn(scene, loadgen, proxy, mix, seconds)
            done[proxy.name].append(turn)
            print(
                f"  mix {mix}, round {number + 1} of {rounds}, {proxy.name}: "
                f"{turn.per_cpu_second:,.0f} requests per CPU second, "
                f"{turn.per_second:,.0f} per second",
                flush=True,
            )
    return done


def warm_up(scene: Scene, loadgen: Path, proxy: Proxy, mix: str) -> None:
    """A second of load, and proof that the proxy writes a line for every request it serves."""
    os.truncate(proxy.log, 0)
    with load(scene, loadgen, proxy, mix, 1.0) as prepared:
        outcome = prepared.run()
    deadline = time.monotonic() + LOG_PATIENCE_S
    while (lines := proxy.log.read_bytes().count(b"\n")) < outcome.requests:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{proxy.name} logged {lines} lines for {outcome.requests} requests")
        time.sleep(0.1)
    os.truncate(proxy.log, 0)


def take_turn(scene: Scene, loadgen: Path, proxy: Proxy, mix: str, seconds: float) -> Round:
    """One run, with the proxy's CPU time read when its connections are open, and at its end."""
    with load(scene, loadgen, proxy, mix, seconds) as prepared:
        before = cpu_seconds(proxy.pid)
        outcome = prepared.run()
        spent = cpu_seconds(proxy.pid) - before
    os.truncate(proxy.log, 0)
    return Round(
        outcome.requests / spent,
        outcome.requests / outcome.seconds,
        spent / outcome.seconds,
        rss_bytes(proxy.pid),
    )


def load(scene: Scene, loadgen: Path, proxy: Proxy, mix: str, seconds: float) -> Load:
    """The load of this figure."""
    return Load(
        loadgen,
        scene,
        proxy,
        "throughput",
        mix=mix,
        connections=CONNECTIONS,
        duration=f"{seconds}s",
    )


def describe(mix: str, done: Mapping[str, Sequence[Round]]) -> Section:
    """The table of one mix."""
    rows = []
    figures = {name: [turn.per_cpu_second for turn in turns] for name, turns in done.items()}
    for name, turns in done.items():
        ratios = [show_ratio(figures, name, base) for base in ("envoy", "nginx")]
        rows.append(
            [
                name,
                *ratios,
                summarize(figures[name]).show(0),
                summarize([turn.per_second for turn in turns]).show(0),
                summarize([turn.busy for turn in turns]).show(),
                f"{turns[-1].rss / 1e6:.1f}",
            ]
        )
    header = ("", "× Envoy", "× nginx", "requests per CPU s", "requests per s", "CPU", "RSS MB")  # noqa: RUF001
    goals = [
        reach_goal(mix, base, wanted, figures)
        for base, wanted in GOALS[mix].items()
        if {"sidecar", base} <= figures.keys()
    ]
    method = (
        f"{CONNECTIONS} keep-alive connections, one request under way on each: {MIXES[mix]}. "
        "Ratios are of pairs measured in the same round."
    )
    return Section(f"Throughput, mix {mix}", method, [Table(header, rows)], goals)


def show_ratio(figures: Mapping[str, Sequence[float]], name: str, base: str) -> str:
    """Of what was measured; a subject that was left out makes no ratio."""
    if base not in figures or name == base:
        return "1" if name == base else "-"
    return compare(figures[name], figures[base]).show()


def reach_goal(mix: str, base: str, wanted: float, figures: Mapping[str, Sequence[float]]) -> Goal:
    """Requests per CPU second against one peer."""
    ratio = compare(figures["sidecar"], figures[base])
    return Goal(
        f"requests per CPU second, mix {mix}, of {base}'s",
        f"≥ {wanted}",
        ratio.show(),
        ratio.median >= wanted,
    )
