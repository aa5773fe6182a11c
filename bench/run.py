"""The one command: `python -m bench.run [--quick] [--only NAME]…`; `make bench` runs it whole.

Owns the order of figures, the life of every process and the page at the end. Must not measure.
"""

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

if __name__ == "__main__":  # so that `python bench/run.py` works too
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import adapter
from bench.figures import (
    bulk,
    connections,
    controller_scale,
    decision,
    latency,
    pod_start,
    propagation,
    reviews,
    start,
    throughput,
    watches,
)
from bench.load import Server, build_loadgen
from bench.machine import describe_machine
from bench.origin import TLS_NAME, Origin
from bench.peers import Proxy, list_peers
from bench.proof import prove_vigilance
from bench.report import LIMITS_FILE, RESULTS, Section, render_goals, render_page
from bench.scene import NAMESPACE, Scene, Upstream, build_scene
from tests.controlplane import ControlPlane
from tests.controlplane.folders import PrivateFolder

SUBJECTS = [adapter.NAME, "nginx", "envoy", "haproxy", "caddy"]
WATCHED = [adapter.NAME, "nginx", "envoy"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What figures are given: all is running."""

    scene: Scene
    origin: Origin
    loadgen: Path
    proxies: Sequence[Proxy]
    quick: bool


def measure_throughput(stage: Stage) -> list[Section]:
    """All mixes, or the two that have goals."""
    rounds, seconds = (3, 2.0) if stage.quick else (5, 3.0)
    mixes = "AB" if stage.quick else "ABC"
    return throughput.measure(
        stage.scene, stage.loadgen, stage.proxies, mixes, rounds=rounds, seconds=seconds
    )


def measure_latency(stage: Stage) -> list[Section]:
    """With the origin itself as the one that adds nothing."""
    rounds, seconds = (3, 1.0) if stage.quick else (8, 1.5)
    servers: list[Server] = [stage.origin, *stage.proxies]
    return latency.measure(stage.scene, stage.loadgen, servers, rounds=rounds, seconds=seconds)


def measure_connections(stage: Stage) -> list[Section]:
    """New ones on either side."""
    rounds, seconds = (1, 1.0) if stage.quick else (3, 2.0)
    return connections.measure(
        stage.scene, stage.loadgen, stage.origin, stage.proxies, rounds=rounds, seconds=seconds
    )


def measure_bulk(stage: Stage) -> list[Section]:
    """Downloads of one large list."""
    return bulk.measure(stage.scene, stage.loadgen, stage.proxies, rounds=1 if stage.quick else 4)


def measure_start(stage: Stage) -> list[Section]:
    """Starts of its own, beside all that idles."""
    return start.measure(stage.scene, stage.origin.upstream, rounds=5 if stage.quick else 20)


def measure_decision(stage: Stage) -> list[Section]:
    """In this very process: it runs on the sidecar's interpreter."""
    return decision.measure(rounds=20 if stage.quick else 60)


def measure_reviews(stage: Stage) -> list[Section]:
    """The admission webhook, beside a bare handler."""
    rounds, seconds = (3, 2.0) if stage.quick else (6, 3.0)
    return reviews.measure(stage.scene, rounds=rounds, seconds=seconds)


def measure_pod_start(stage: Stage) -> list[Section]:
    """On a node of its own, which only root can make; nobody else's run ends for that."""
    if os.geteuid() != 0:
        print("  pod-start is left out: a real node needs root", flush=True)
        return []
    return pod_start.measure(rounds=4 if stage.quick else 12)


def measure_watches(stage: Stage) -> list[Section]:
    """Proxies of their own, in front of a real kube-apiserver; Caddy and HAProxy are left out."""
    with ExitStack() as stack:
        print("  starting etcd and kube-apiserver", flush=True)
        plane = stack.enter_context(ControlPlane(audit_policy=[{"level": "None"}]))
        plane.create_namespace(NAMESPACE)
        upstream = Upstream(plane.port, TLS_NAME, plane.authority.file, plane.tokens["admin"])
        wanted = [proxy.name for proxy in stage.proxies if proxy.name in WATCHED]
        proxies = start_proxies(stack, stage.scene, upstream, wanted)
        waves = 1 if stage.quick else 2
        return watches.measure(stage.scene, stage.loadgen, proxies, waves=waves)


def measure_controller(stage: Stage) -> list[Section]:
    """With API servers of its own for each size; six minutes, of which most are the large one's."""
    return controller_scale.measure(quick=stage.quick)


def measure_propagation(stage: Stage) -> list[Section]:
    """On two planes of its own, with 200 sidecars: 5 GB of memory."""
    return propagation.measure(quick=stage.quick)


FIGURES: dict[str, Callable[[Stage], list[Section]]] = {
    "throughput": measure_throughput,
    "latency": measure_latency,
    "connections": measure_connections,
    "bulk": measure_bulk,
    "start": measure_start,
    "decision": measure_decision,
    "reviews": measure_reviews,
    "watches": measure_watches,
    "controller": measure_controller,
    "propagation": measure_propagation,
    "pod-start": measure_pod_start,
}


def main() -> int:
    """Exit code 0: every answer was right. Goals that are missed are told, not failed."""
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, leave)
    began = time.monotonic()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a watch takes two descriptors
    with ExitStack() as stack:
        folder = PrivateFolder()
        stack.callback(folder.remove)
        scene = build_scene(folder.path)
        loadgen = build_loadgen()
        origin = Origin(scene)
        stack.callback(origin.stop)
        prove_vigilance(scene, loadgen, origin)
        peers = [peer for peer in list_peers() if peer.name in arguments.subjects]
        versions = {peer.name: peer.read_version() for peer in peers}
        machine = describe_machine(versions)
        proxies = start_proxies(stack, scene, origin.upstream, arguments.subjects)
        stage = Stage(scene, origin, loadgen, proxies, arguments.quick)
        sections = []
        for name in arguments.only or FIGURES:
            print(f"== {name}, {time.monotonic() - began:.0f} s so far", flush=True)
            sections += FIGURES[name](stage)
    finish(arguments, machine, sections)
    print(f"done in {time.monotonic() - began:.0f} s")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Names are checked here, so that a slip costs no minutes."""
    parser = argparse.ArgumentParser(prog="bench.run", description="Measure beside real proxies.")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter rounds: six minutes"
    )
    parser.add_argument(
        "--only", action="append", choices=list(FIGURES), help="one figure; may be given again"
    )
    parser.add_argument(
        "--subjects",
        type=parse_subjects,
        default=SUBJECTS,
        metavar="NAME,…",
        help=f"which proxies; default: {','.join(SUBJECTS)}",
    )
    return parser.parse_args()


def parse_subjects(text: str) -> list[str]:
    """The names of a comma-separated list."""
    names = text.split(",")
    if unknown := set(names) - set(SUBJECTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {SUBJECTS}")
    return names


def start_proxies(
    stack: ExitStack, scene: Scene, upstream: Upstream, names: Sequence[str]
) -> list[Proxy]:
    """The sidecar first, then its peers."""
    proxies = []
    if adapter.NAME in names:
        proxies.append(adapter.start(scene, upstream))
        stack.callback(proxies[-1].stop)
    for peer in list_peers():
        if peer.name in names:
            proxies.append(peer.start(scene, upstream))
            stack.callback(proxies[-1].stop)
    return proxies


def finish(arguments: argparse.Namespace, machine: str, sections: Sequence[Section]) -> None:
    """A whole run is kept; any other is only shown."""
    limits = LIMITS_FILE.read_text() if LIMITS_FILE.exists() else ""
    if arguments.quick or arguments.only:
        print("\n" + "\n".join(section.render() for section in sections))
        if goals := [goal for section in sections for goal in section.goals]:
            print(render_goals(goals))
        return
    RESULTS.write_text(render_page(machine, sections, limits))
    print(f"wrote {RESULTS}")


def leave(number: int, frame: FrameType | None) -> None:
    """End like Ctrl-C does: by an exception, so that every process we started is ended."""
    raise KeyboardInterrupt(f"signal {number} in {frame}")


if __name__ == "__main__":
    sys.exit(main())
