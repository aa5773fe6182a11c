"""The controller with thousands of namespaces: its start, its memory, an edit's way, its rest."""

import contextlib
import http.client
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench.measure import cpu_seconds
from bench.report import Goal, Section, Table
from bench.spread import percentile
from tests.controller.scene import (
    API,
    ControllerProcess,
    Home,
    cluster_of,
    namespace_of,
    poll,
    route_of,
    tenant_of,
)
from tests.controlplane import ControlPlane
from webhook.kube import Kube, KubeError, open_kubeconfig

MAX_START_S, MAX_RSS_MB, MAX_IDLE, MAX_EDIT_S = 60.0, 400.0, 0.01, 0.5
WRITERS = 8
PATIENCE_S = 900.0
LOOK_S, CALM = 0.5, 2
METHOD = (
    "A real etcd and kube-apiserver, and one `mca controller` with the rights of its account, all "
    "on this machine. Start: from exec, with every object new, until each namespace has its policy "
    "and nothing waits in a queue. Again: the same with all of it there already. The server's own "
    "limit: ConfigMaps of the same size, applied by two processes with eight threads each. An "
    "edit: from a Route's creation until a watch shows the ConfigMap that holds it. Idle: the "
    "process's CPU time while nothing changes."
)
# Writes as fast as it can, and tells how many a second: a process of its own.
WRITER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from webhook.kube import open_kubeconfig
kubeconfig, namespace, mark, size, seconds = sys.argv[1:]
kube = open_kubeconfig(path=kubeconfig)
until = time.monotonic() + float(seconds)
def write(worker):
    number = 0
    while time.monotonic() < until:
        name = f"limit-{mark}-{worker}-{number}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                "data": {"snapshot.v1.json": "x" * int(size)}}
        kube.apply(f"/api/v1/namespaces/{namespace}/configmaps/{name}", body, "bench")
        number += 1
    return number
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(write, range(8))))
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    namespaces: int
    tenants: int
    clusters: int
    routes: int

    def show(self) -> str:
        """In the order of its fields."""
        return f"{self.namespaces} / {self.tenants} / {self.clusters} / {self.routes}"


LARGE = Size(5000, 500, 50, 2000)
SMALL = Size(500, 50, 50, 200)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one size."""

    size: Size
    first_s: float
    writes_per_s: float
    limit_per_s: float
    again_s: float
    rss_mb: float
    edits_ms: Sequence[float]
    edit_cpu_ms: float
    idle: float


def measure(*, quick: bool) -> list[Section]:
    """The small size to compare an edit with, and the large one."""
    figures = [run(size) for size in ((SMALL,) if quick else (SMALL, LARGE))]
    return [describe(figures)]


def run(size: Size) -> Figures:
    """On a control plane of its own."""
    with ControlPlane(audit_policy=[{"level": "None"}]) as plane:
        home = Home(plane, plane.folder)
        try:
            return observe(home, size)
        finally:
            home.end()


def observe(home: Home, size: Size) -> Figures:
    """All figures of one size, one after the other."""
    limit = measure_limit(home)
    print(f"  {size.namespaces} namespaces: the server takes {limit:.0f} writes/s", flush=True)
    fill(home, size)
    began = time.monotonic()
    controller = start(home)
    wait_done(controller, size, began)
    first_s = time.monotonic() - began
    written = count_writes(controller)
    print(f"  first start {first_s:.1f} s, {written:.0f} writes of policies", flush=True)
    controller.stop()
    began = time.monotonic()
    controller = start(home)
    wait_done(controller, size, began)
    again_s = time.monotonic() - began
    print(f"  again {again_s:.1f} s, {count_writes(controller):.0f} writes", flush=True)
    edits_ms, edit_cpu_ms = measure_edits(home, controller)
    rss_mb = controller.rss_bytes() / 1e6
    before, seconds = cpu_seconds(controller.process.pid), 20.0
    time.sleep(seconds)
    idle = (cpu_seconds(controller.process.pid) - before) / seconds
    print(f"  RSS {rss_mb:.0f} MB, idle {idle:.2%}", flush=True)
    return Figures(
        size, first_s, written / first_s, limit, again_s, rss_mb, edits_ms, edit_cpu_ms, idle
    )


def start(home: Home) -> ControllerProcess:
    """At the same address each time: it stands in every snapshot."""
    return home.controller(
        MCA_CONTROLLER_LEASE_SECONDS="15", MCA_CONTROLLER_ADDRESS="https://mca-broker.test:8444"
    )


def measure_limit(home: Home, seconds: float = 8.0) -> float:
    """What the server takes of the same writes, when nothing else is done."""
    home.plane.create_namespace("limit")
    command = [sys.executable, "-c", WRITER, str(home.plane.admin_kubeconfig()), "limit"]
    processes = [
        subprocess.Popen([*command, mark, "2000", str(seconds)], stdout=subprocess.PIPE, text=True)
        for mark in ("a", "b")
    ]
    written = sum(int(process.communicate()[0]) for process in processes)
    home.plane.request("DELETE", "/api/v1/namespaces/limit/configmaps")
    return written / seconds


def fill(home: Home, size: Size) -> None:
    """Everything that admins and tenants state."""
    kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
    share = size.namespaces // size.tenants
    members = [f"member-{number}" for number in range(size.clusters)]
    names = [f"ns-{number}" for number in range(size.namespaces)]
    objects: list[tuple[str, Any]] = [
        (f"/apis/{API}/clusters", cluster_of(name, home.plane)) for name in members
    ]
    for number in range(size.tenants):
        own = names[number * share : (number + 1) * share]
        chosen = [members[(number + step) % size.clusters] for step in range(5)]
        objects.append(
            (f"/apis/{API}/tenants", tenant_of(f"tenant-{number}", *own, clusters=chosen))
        )
        objects += [("/api/v1/namespaces", namespace_of(name, f"tenant-{number}")) for name in own]
    create_all(kube, objects)
    routes = []
    for number in range(size.routes):
        namespace = names[number * size.namespaces // size.routes]
        tenant = number * size.tenants // size.routes
        route = route_of(namespace, f"r{number}", members[tenant % size.clusters])
        routes.append((f"/apis/{API}/namespaces/{namespace}/routes", route))
    create_all(kube, routes)
    kube.close()


def create_all(kube: Kube, objects: Iterable[tuple[str, Any]]) -> None:
    def create(entry: tuple[str, Any]) -> None:
        try:
            kube.request("POST", *entry)
        except KubeError as error:
            if error.status != http.client.CONFLICT:
                raise

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(create, objects))


def wait_done(controller: ControllerProcess, size: Size, began: float) -> None:
    """Each namespace has its policy, and nothing is left to do."""
    controller.wait_leads(PATIENCE_S)

    calm = 0
    while calm < CALM:
        assert time.monotonic() - began < PATIENCE_S, controller.log()[-3000:]
        time.sleep(LOOK_S)
        text = controller.ask("/metrics")[1]
        calm = calm + 1 if is_done(text, size) else 0


def is_done(metrics: str, size: Size) -> bool:
    """By one look, which costs the controller 10 ms."""
    objects = "mca_controller_objects{resource="
    found = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[:1] != "#")
    return (
        float(found.get(f'{objects}"configmaps/mca-policy"}}', 0)) >= size.namespaces
        and float(found.get(f'{objects}"rolebindings/mca-policy"}}', 0)) >= size.namespaces
        and not any(
            float(value)
            for series, value in found.items()
            if series.startswith("mca_controller_queue_depth")
        )
    )


def count_writes(controller: ControllerProcess) -> float:
    return controller.metric("mca_controller_policy_writes_total")


class Eye:
    """A watch on one namespace's policy, and when each version of it was seen."""

    def __init__(self, home: Home, namespace: str) -> None:
        self.seen: list[tuple[float, str]] = []
        kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
        path = f"/api/v1/namespaces/{namespace}/configmaps"

        def look() -> None:
            only = {"fieldSelector": "metadata.name=mca-policy"}
            with contextlib.suppress(KubeError):  # the server's end
                for event in kube.watch(path, query=only, timeout_s=120):
                    text = event["object"]["data"]["snapshot.v1.json"]
                    self.seen.append((time.monotonic(), text))

        threading.Thread(target=look, daemon=True).start()
        poll(lambda: self.seen)

    def find(self, name: str) -> float:
        """When the route came."""
        return poll(
            lambda: next((at for at, text in self.seen if f'"name":"{name}"' in text), None)
        )


def measure_edits(
    home: Home, controller: ControllerProcess, rounds: int = 40
) -> tuple[list[float], float]:
    """Each of another Route; milliseconds, and the CPU time of one."""
    eye = Eye(home, "ns-1")
    kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
    path = f"/apis/{API}/namespaces/ns-1/routes"
    took = []
    before = cpu_seconds(controller.process.pid)
    for number in range(rounds):
        name = f"edit-{number}"
        began = time.monotonic()
        kube.request("POST", path, route_of("ns-1", name, "home"))
        took.append((eye.find(name) - began) * 1000)
    wait = threading.Event()
    wait.wait(0.5)  # for what is told of the last one
    spent = (cpu_seconds(controller.process.pid) - before) / rounds * 1000
    kube.close()
    print(
        f"  an edit {statistics.median(took):.0f} ms (p99 {percentile(took, 0.99):.0f}), "
        f"CPU {spent:.1f} ms",
        flush=True,
    )
    return took, spent


def describe(figures: Sequence[Figures]) -> Section:
    """All sizes beside each other; goals are of the last."""
    rows = [
        (
            each.size.show(),
            f"{each.first_s:.1f}",
            f"{each.writes_per_s:.0f}",
            f"{each.limit_per_s:.0f}",
            f"{each.again_s:.1f}",
            f"{each.rss_mb:.0f}",
            f"{statistics.median(each.edits_ms):.0f}",
            f"{percentile(each.edits_ms, 0.99):.0f}",
            f"{each.edit_cpu_ms:.1f}",
            f"{each.idle:.2%}",
        )
        for each in figures
    ]
    header = (
        "namespaces / tenants / clusters / routes", "first start s", "writes/s",
        "server's limit/s", "again s", "RSS MB", "edit ms p50", "p99", "edit CPU ms", "idle CPU",
    )  # fmt: skip
    last = figures[-1]
    p99 = percentile(last.edits_ms, 0.99)
    goals = [
        goal("first start", MAX_START_S, last.first_s, "s"),
        goal("memory", MAX_RSS_MB, last.rss_mb, "MB"),
        goal("an edit, p99", MAX_EDIT_S * 1000, p99, "ms"),
        goal("CPU time while nothing changes", MAX_IDLE * 100, last.idle * 100, "%"),
    ]
    return Section("The controller", METHOD, [Table(header, rows)], goals)


def goal(what: str, most: float, reached: float, unit: str) -> Goal:
    return Goal(
        f"controller: {what}", f"at most {most:g} {unit}", f"{reached:.1f} {unit}", reached <= most
    )
