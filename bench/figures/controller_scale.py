"""The controller with thousands of namespaces: its start, its memory, an edit's cost, its rest.

Must not know how it works: it is a process and an API server's count of what it has written.
"""

import contextlib
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bench.figures.estate import WRITERS, Size, fill
from bench.measure import cpu_seconds, peak_rss_bytes
from bench.report import Goal, Section, Table
from bench.spread import percentile
from tests.controller.scene import API, ControllerProcess, Home, poll, route_of, tenant_of
from tests.controlplane import ControlPlane
from webhook.kube import KubeError, open_kubeconfig

MAX_START_S, MAX_RSS_MB, MAX_IDLE, MAX_EDIT_S = 60.0, 400.0, 0.01, 0.5
# Of the CPU time of an edit, many namespaces to few: it is noisy, and should be 1.
MAX_GROWTH: Final = 1.5
PATIENCE_S: Final = 900.0
LOOK_S, CALM = 1.0, 2
POLICY_BYTES: Final = 6000
LARGE = Size(5000, 500, 50, 2000)
SMALL = Size(500, 50, 50, 200)
TINY = Size(100, 10, 50, 40)
# Kinds that the controller writes; not Leases, Events, and reviews, of which nothing stays.
WRITTEN = frozenset({"configmaps", "rolebindings", "namespaces", "clusters", "tenants", "routes"})
VERBS = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE"})
METHOD = (
    "A real etcd and kube-apiserver, and one `mca controller` with the rights of its account, "
    "all on this machine. Each Tenant has ten namespaces, four Routes and five Clusters; behind "
    "all Clusters is one more API server, which is probed for each. Start: from exec, with "
    "every object new, until each namespace has its policy and nothing waits in a queue; the "
    "writes are those that the API server has counted. Its own limit: ConfigMaps and "
    f"RoleBindings like the controller's, applied by a process with {WRITERS} threads that does "
    "nothing else, in the same minutes. Again: a start with all of it there already. Memory: "
    "the most since exec. An edit: from the PATCH of a Route (one namespace) or a Tenant (ten) "
    "until a watch shows a ConfigMap with it; the CPU time is all that the controller took for "
    "it. Idle: its CPU time while nothing changes; it probes the Clusters then."
)
# Writes as fast as it can, and tells how many: a process of its own.
WRITER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from webhook.resources.policy_objects import build_binding, build_map
from webhook.kube import open_kubeconfig
kubeconfig, size, seconds, threads = sys.argv[1:]
kube = open_kubeconfig(path=kubeconfig)
objects = (
    ("/api/v1", "configmaps", build_map("limit", "v1-0", "x" * int(size)).body),
    ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", build_binding("limit").body),
)
until = time.monotonic() + float(seconds)
def write(worker):
    number = 0
    while time.monotonic() < until:
        base, plural, body = objects[number % 2]
        name = f"limit-{worker}-{number}"
        body = {**body, "metadata": {**body["metadata"], "name": name}}
        kube.apply(f"{base}/namespaces/limit/{plural}/{name}", body, "bench")
        number += 1
    return number
with ThreadPoolExecutor(int(threads)) as pool:
    print(sum(pool.map(write, range(int(threads)))))
"""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long is looked, and how often."""

    limit_s: float
    idle_s: float
    edits: int


WHOLE = Durations(8.0, 30.0, 40)
QUICK = Durations(3.0, 10.0, 10)


class Start(NamedTuple):
    """One start of the controller."""

    seconds: float
    cpu_s: float
    server_cpu_s: float
    writes: float
    rss_mb: float


class Edits(NamedTuple):
    """Of one kind: milliseconds of each, and what one took of the controller."""

    took_ms: Sequence[float]
    cpu_ms: float
    writes: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one size."""

    size: Size
    limit_per_s: float
    first: Start
    again: Start
    route: Edits
    tenant: Edits
    idle: float


def measure(*, quick: bool) -> list[Section]:
    """The small size to compare an edit with, and the large one."""
    durations = QUICK if quick else WHOLE
    sizes = (TINY, SMALL) if quick else (SMALL, LARGE)
    return [describe([run(size, durations) for size in sizes])]


def run(size: Size, durations: Durations) -> Figures:
    """On control planes of its own."""
    silent = [{"level": "None"}]
    with ControlPlane(audit_policy=silent) as plane, ControlPlane(audit_policy=silent) as west:
        home = Home(plane, plane.folder)
        try:
            return observe(home, west, size, durations)
        finally:
            home.end()


def observe(home: Home, west: ControlPlane, size: Size, durations: Durations) -> Figures:
    """All figures of one size, one after the other."""
    began = time.monotonic()
    fill(home, west, size)
    print(f"  {size.namespaces} namespaces, made in {time.monotonic() - began:.0f} s", flush=True)
    before = measure_limit(home, durations.limit_s)
    controller, first = start(home, size)
    controller.stop()
    after = measure_limit(home, durations.limit_s)
    limit = (before + after) / 2
    print(f"  first start {first.seconds:.1f} s, {first.writes:.0f} writes, limit {limit:.0f}/s")
    controller, again = start(home, size)
    print(f"  again {again.seconds:.1f} s, {again.writes:.0f} writes", flush=True)
    route = measure_edits(home, controller, edit_route(home), durations.edits)
    tenant = measure_edits(home, controller, edit_tenant(size), durations.edits)
    idle = measure_idle(controller, durations.idle_s)
    rss_mb = peak_rss_bytes(controller.process.pid) / 1e6
    print(f"  RSS {first.rss_mb:.0f} and {rss_mb:.0f} MB, idle {idle:.2%}", flush=True)
    again = again._replace(rss_mb=rss_mb)
    return Figures(size, limit, first, again, route, tenant, idle)


def start(home: Home, size: Size) -> tuple[ControllerProcess, Start]:
    """At the same address each time: it stands in every snapshot."""
    server = home.plane.pids["kube-apiserver"]
    written, spent = count_writes(home), cpu_seconds(server)
    began = time.monotonic()
    controller = home.controller(
        MCA_CONTROLLER_LEASE_SECONDS="15", MCA_CONTROLLER_ADDRESS="https://mca-broker.test:8444"
    )
    ended = wait_done(controller, size)
    return controller, Start(
        ended - began,
        cpu_seconds(controller.process.pid),
        cpu_seconds(server) - spent,
        count_writes(home) - written,
        peak_rss_bytes(controller.process.pid) / 1e6,
    )


def measure_limit(home: Home, seconds: float) -> float:
    """Writes a second that the server takes, when nothing else is done."""
    home.plane.create_namespace("limit")
    command = [sys.executable, "-c", WRITER, str(home.plane.admin_kubeconfig())]
    command += [str(POLICY_BYTES), str(seconds), str(WRITERS)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in ("/api/v1", "/apis/rbac.authorization.k8s.io/v1"):
        plural = "configmaps" if path == "/api/v1" else "rolebindings"
        home.plane.request("DELETE", f"{path}/namespaces/limit/{plural}")
    return int(told) / seconds


def count_writes(home: Home) -> float:
    """What stays, by the API server's own count."""
    total = 0.0
    for line in home.plane.request("GET", "/metrics").body.decode().splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if (
            labels["resource"] in WRITTEN
            and labels["verb"] in VERBS
            and labels["code"].startswith("2")
        ):
            total += float(line.rpartition(" ")[2])
    return total


def wait_done(controller: ControllerProcess, size: Size) -> float:
    """When each namespace had its policy, and nothing was left to do."""
    controller.wait_leads(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    calm: list[float] = []
    while len(calm) < CALM:
        assert time.monotonic() < deadline, controller.log()[-3000:]
        time.sleep(LOOK_S)
        at, text = time.monotonic(), controller.ask("/metrics")[1]
        calm = [*calm, at] if is_done(text, size) else []
    return calm[0]


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


class Eye:
    """A watch on one namespace's policy, and when each version of it was seen."""

    def __init__(self, home: Home, namespace: str) -> None:
        self.seen: list[tuple[float, str]] = []
        kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
        path = f"/api/v1/namespaces/{namespace}/configmaps"

        def look() -> None:
            only = {"fieldSelector": "metadata.name=mca-policy"}
            with contextlib.suppress(KubeError):  # the server's end
                for event in kube.watch(path, query=only, timeout_s=900):
                    text = event["object"]["data"]["snapshot.v1.json"]
                    self.seen.append((time.monotonic(), text))

        threading.Thread(target=look, daemon=True).start()
        poll(lambda: self.seen)

    def find(self, mark: str) -> float:
        """When it came."""
        return poll(lambda: next((at for at, text in self.seen if mark in text), None), 60)


class Edit(NamedTuple):
    """What is done again and again: each PATCH has a mark that snapshots show."""

    name: str
    path: str
    build: Callable[[int], Any]


MARK = "mark-{}."


def edit_route(home: Home) -> Edit:
    """Of a namespace that the eye looks at; it begins as a Route among the others."""
    path = f"/apis/{API}/namespaces/ns-1/routes"
    home.plane.create(path, route_of("ns-1", "edited", "home"))

    def build(number: int) -> Any:
        match = {"groups": [""], "resources": ["configmaps"]}
        return {"match": [{**match, "names": [MARK.format(number)]}]}

    return Edit("Route", f"{path}/edited", build)


def edit_tenant(size: Size) -> Edit:
    """Of the same one: all its namespaces change."""
    names = [f"ns-{number}" for number in range(size.namespaces // size.tenants)]
    permissions = tenant_of("tenant-0", *names)["spec"]["permissions"]

    def build(number: int) -> Any:
        return {"permissions": [{**permissions[0], "names": [MARK.format(number), "*"]}]}

    return Edit("Tenant", f"/apis/{API}/tenants/tenant-0", build)


def measure_edits(home: Home, controller: ControllerProcess, edit: Edit, rounds: int) -> Edits:
    """One after the other, each seen before the next."""
    eye = Eye(home, "ns-1")
    kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
    wait = threading.Event()
    took = []
    wait.wait(1.0)
    written, before = count_writes(home), cpu_seconds(controller.process.pid)
    for number in range(rounds):
        body = {"spec": edit.build(number)}
        began = time.monotonic()
        kube.request("PATCH", edit.path, body, content_type="application/merge-patch+json")
        took.append((eye.find(MARK.format(number)) - began) * 1000)
        wait.wait(0.1)  # for what else there is to do of it
    wait.wait(1.0)
    spent = (cpu_seconds(controller.process.pid) - before) / rounds * 1000
    writes = (count_writes(home) - written) / rounds - 1
    kube.close()
    shown = f"{statistics.median(took):.0f} ms (p99 {percentile(took, 0.99):.0f})"
    print(f"  {edit.name}'s edit {shown}, CPU {spent:.1f} ms, {writes:.1f} writes", flush=True)
    return Edits(took, spent, writes)


def measure_idle(controller: ControllerProcess, seconds: float) -> float:
    """Of one core."""
    wait = threading.Event()
    wait.wait(2.0)
    before = cpu_seconds(controller.process.pid)
    wait.wait(seconds)
    return (cpu_seconds(controller.process.pid) - before) / seconds


def describe(figures: Sequence[Figures]) -> Section:
    """All sizes beside each other; goals are of the last."""
    starts = [
        (
            each.size.show(),
            f"{each.first.seconds:.1f}",
            f"{each.first.writes:,.0f}",
            f"{each.first.writes / each.first.seconds:.0f}",
            f"{each.limit_per_s:.0f}",
            f"{each.first.cpu_s:.1f}",
            f"{each.first.server_cpu_s:.1f}",
            f"{each.again.seconds:.1f}",
            f"{each.again.writes:.0f}",
        )
        for each in figures
    ]
    lives = [
        (
            each.size.show(),
            f"{max(each.first.rss_mb, each.again.rss_mb):.0f}",
            f"{each.idle:.2%}",
            *(
                shown
                for edits in (each.route, each.tenant)
                for shown in (
                    ", ".join(f"{percentile(edits.took_ms, share):.0f}" for share in (0.5, 0.99)),
                    f"{edits.cpu_ms:.1f}",
                    f"{edits.writes:.1f}",
                )
            ),
        )
        for each in figures
    ]
    size = "namespaces / tenants / clusters / routes"
    tables = [
        Table(
            (
                size, "first start s", "writes", "a second", "server's limit", "CPU s",
                "server's CPU s", "again s", "writes again",
            ),
            starts,
        ),
        Table(
            (
                size, "RSS MB", "idle CPU", "Route's edit ms p50, p99", "CPU ms", "writes",
                "Tenant's edit ms p50, p99", "CPU ms", "writes",
            ),
            lives,
        ),
    ]  # fmt: skip
    return Section("The controller", METHOD, tables, reach_goals(figures))


def reach_goals(figures: Sequence[Figures]) -> list[Goal]:
    """Those of the last size, and its edits beside those of the first."""
    first, last = figures[0], figures[-1]
    growth = [
        getattr(last, kind).cpu_ms / getattr(first, kind).cpu_ms for kind in ("route", "tenant")
    ]
    names = last.size.namespaces
    return [
        goal("first start", MAX_START_S, last.first.seconds, "s"),
        goal("memory", MAX_RSS_MB, max(last.first.rss_mb, last.again.rss_mb), "MB"),
        goal("a Route's edit, p99", MAX_EDIT_S * 1000, percentile(last.route.took_ms, 0.99), "ms"),
        goal("CPU time while nothing changes", MAX_IDLE * 100, last.idle * 100, "%"),
        Goal(
            f"controller: CPU of an edit, {names} namespaces to {first.size.namespaces}",
            f"at most {MAX_GROWTH:g}",
            f"{growth[0]:.2f} (Route), {growth[1]:.2f} (Tenant)",
            max(growth) <= MAX_GROWTH,
        ),
    ]


def goal(what: str, most: float, reached: float, unit: str) -> Goal:
    return Goal(
        f"controller: {what}", f"at most {most:g} {unit}", f"{reached:.1f} {unit}", reached <= most
    )
