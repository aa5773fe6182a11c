"""Pods on a real node with and without injection, and what the sidecar took of it.

Owns the node's visit: `measure` enters namespaces of its own (tests.node.world), which needs root,
and runs this module there; what was measured comes back as JSON.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.report import Goal, Section, Table
from bench.spread import summarize
from tests.node.installation import install, load_images
from tests.node.node import Node
from tests.node.preparation import prepare
from tests.node.sidecars import open_namespace
from tests.node.world import CGROUPS, run_inside

PLAIN, INJECTED = "without", "injected"
CALLS = 200
IDLE_S = 20.0
CPU_REQUEST_M = 10.0
MEMORY_REQUEST_MB = 32 * 1.048576
SCRIPT = "date +%s.%N; trap 'exit 0' TERM; sleep infinity & wait"
CALLING = (
    "from kubernetes import client, config; config.load_incluster_config();"
    "core = client.CoreV1Api();"
    f"[core.read_namespaced_pod('{{}}', '{INJECTED}') for _ in range({CALLS})]"
)
METHOD = (
    "From the call that creates a pod to the first instruction of its application, by the clock of "
    "the machine that both share; images are there. In turns, on a node of real parts: kubelet, "
    "containerd and runc on this machine's cores, beside API server and etcd. The sidecar's CPU "
    "time and its memory (the most that counted at once) are those of its cgroup, which begins "
    f"before its interpreter; idle is measured over {IDLE_S:.0f} s, and the {CALLS:,} calls are "
    "reads by the Python client."
)


@dataclass(frozen=True, slots=True)
class Pod:
    """One start; the sidecar's figures are 0 without one."""

    way: str
    create_ms: float
    start_ms: float
    cpu_ms: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Life:
    """What one sidecar went on to take."""

    idle_m: float
    cpu_us_per_call: float
    memory_mb: float


def measure(*, rounds: int) -> list[Section]:
    """Both ways in every round; the first fills caches and is not counted."""
    prepare(applications=False)
    with tempfile.TemporaryDirectory(prefix="mca-bench-") as work:
        target = Path(work) / "pods.json"
        code = run_inside(["-m", "bench.figures.pod_start", str(rounds), str(target)])
        if code != 0:
            raise RuntimeError(f"the measurement on the node ended with code {code}")
        told = json.loads(target.read_text())
    pods = [Pod(**each) for each in told["pods"]]
    return [describe(pods, Life(**told["life"]))]


# Inside


def visit(rounds: int) -> dict[str, Any]:
    """A node with MCA, and what pods take there."""
    with Node() as node:
        images = load_images(node)
        install(node, images)
        role = "system:aggregate-to-view"
        open_namespace(node, INJECTED, "app", role)
        node.plane.create_service_account(PLAIN, "app", cluster_role=role)
        pods = []
        for number in range(rounds + 1):
            for way in (PLAIN, INJECTED):
                pod = start_pod(node, images.control, way, f"pod-{number}")
                print(f"  round {number} of {rounds}, {way}: {pod.start_ms:.0f} ms", flush=True)
                if number:
                    pods.append(pod)
                node.plane.kubectl("delete", "pod", "-n", way, f"pod-{number}", "--wait=true")
        return {
            "pods": [asdict(pod) for pod in pods],
            "life": asdict(follow_life(node, images.control)),
        }


def start_pod(node: Node, image: str, way: str, name: str) -> Pod:
    """From nothing to its first instruction."""
    body = {
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": "app",
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "app",
                    "image": image,
                    "command": ["/bin/sh", "-c", SCRIPT],
                }
            ],
        },
    }
    began = time.time()
    node.plane.create(f"/api/v1/namespaces/{way}/pods", body)
    created = time.time()
    pod = node.wait_for_pod(way, name)
    log = node.plane.kubectl("logs", "-n", way, name, "-c", "app").stdout
    create_ms, start_ms = (created - began) * 1000, (float(log) - began) * 1000
    if way == PLAIN:
        return Pod(way, create_ms, start_ms)
    spent = Sidecar(node, pod)
    return Pod(way, create_ms, start_ms, spent.cpu_s() * 1000, spent.most_bytes() / 1e6)


def follow_life(node: Node, image: str) -> Life:
    """Of a sidecar that is up for a while: idle first, then called."""
    name = "life"
    start_pod(node, image, INJECTED, name)
    sidecar = Sidecar(node, node.wait_for_pod(INJECTED, name))
    time.sleep(3)
    before = sidecar.cpu_s()
    time.sleep(IDLE_S)
    idle = (sidecar.cpu_s() - before) / IDLE_S
    before = sidecar.cpu_s()
    run = ("exec", "-n", INJECTED, name, "-c", "app", "--", "python3", "-c")
    node.plane.kubectl(*run, CALLING.format(name))
    called = (sidecar.cpu_s() - before) / CALLS
    return Life(idle * 1000, called * 1e6, sidecar.most_bytes() / 1e6)


class Sidecar:
    """The cgroup of a pod's sidecar, of either version."""

    def __init__(self, node: Node, pod: Any) -> None:
        container = pod["status"]["initContainerStatuses"][0]["containerID"]
        listed = node.ctr("tasks", "ls").splitlines()
        name = container.removeprefix("containerd://")
        pid = next(line.split()[1] for line in listed if line.startswith(name))
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        self._folders = {}
        for line in lines:
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(",") or [""]:
                self._folders[controller] = path

    def cpu_s(self) -> float:
        """All that ever ran in it."""
        if "cpuacct" in self._folders:
            return int(self._read("cpuacct", "cpuacct.usage")) / 1e9
        stat = dict(line.split() for line in self._read("", "cpu.stat").splitlines())
        return int(stat["usage_usec"]) / 1e6

    def most_bytes(self) -> int:
        """The most memory that counted at once, with its files on tmpfs."""
        if "memory" in self._folders:
            return int(self._read("memory", "memory.max_usage_in_bytes"))
        return int(self._read("", "memory.peak"))

    def _read(self, controller: str, file: str) -> str:
        path = self._folders[controller].lstrip("/")
        return (CGROUPS / controller / path / file).read_text()


# Outside again


def describe(pods: Sequence[Pod], life: Life) -> Section:
    """Medians, and what the sidecar took beside what it asks for."""
    of: Mapping[str, list[Pod]] = {
        way: [pod for pod in pods if pod.way == way] for way in (PLAIN, INJECTED)
    }
    started = {way: summarize([pod.start_ms for pod in each]) for way, each in of.items()}
    created = {way: summarize([pod.create_ms for pod in each]) for way, each in of.items()}
    rows = [[way, created[way].show(0), started[way].show(0)] for way in of]
    more = [a.start_ms - b.start_ms for a, b in zip(of[INJECTED], of[PLAIN], strict=True)]
    rows.append(["difference, pair by pair", "", summarize(more).show(0)])
    cpu = summarize([pod.cpu_ms for pod in of[INJECTED]])
    memory = summarize([pod.memory_mb for pod in of[INJECTED]])
    taken = [
        ["CPU time until the application starts, ms", cpu.show(0)],
        ["memory until then, MB", memory.show(1)],
        ["CPU while idle, thousandths of a core", f"{life.idle_m:.1f}"],
        ["CPU for a call, µs", f"{life.cpu_us_per_call:,.0f}"],
        [f"memory after {CALLS:,} calls, MB", f"{life.memory_mb:.1f}"],
    ]
    goals = [
        Goal(
            "sidecar while idle, of its CPU request",
            f"{CPU_REQUEST_M:.0f}m",
            f"{life.idle_m:.1f}m",
            life.idle_m <= CPU_REQUEST_M,
        ),
        Goal(
            "sidecar's memory, of its request",
            f"{MEMORY_REQUEST_MB:.1f} MB",
            f"{life.memory_mb:.1f} MB",
            life.memory_mb <= MEMORY_REQUEST_MB,
        ),
    ]
    tables = [
        Table(("pod", "created, ms", "application runs, ms"), rows),
        Table(("the sidecar took", ""), taken),
    ]
    return Section("Pod start on a real node", METHOD, tables, goals)


def main() -> int:
    """`ROUNDS TARGET`, inside of a node's namespaces."""
    rounds, target = sys.argv[1:]
    told = visit(int(rounds))
    Path(target).write_text(json.dumps(told))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}: {error.stderr}") from error
