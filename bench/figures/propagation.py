"""From an edit of a Route or a Tenant to the first call that it decides, with many sidecars.

Must not judge what sidecars do: a call's answer only tells which edit it was decided by.
"""

import datetime as dt
import http.client
import itertools
import json
import ssl
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from bench.measure import cpu_seconds
from bench.report import Goal, Section, Table
from bench.spread import percentile
from tests.controller.broker_scene import BrokerScene, enforced
from tests.controller.scene import API, Home, poll, route_of, tenant_of
from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import choose_port
from tests.sidecar_process import SidecarProcess, swap_data

TENANT, CLUSTER, ACCOUNT = "team", "west", "app"
MAX_S: Final = 1.0
PATIENCE_S: Final = 30.0
# Between calls of who looks: less would take from the sidecars what they need.
LOOK_S: Final = 0.002
# Between edits: the sidecars' reports of the one before come in it, as they do anywhere.
REST_S: Final = 1.0
STARTERS: Final = 4
MERGE = {"Content-Type": "application/merge-patch+json"}
KINDS = ("Route", "Tenant")
METHOD = (
    "Two real clusters, one `mca controller`, one Tenant, {sidecars} sidecars as in injected pods "
    "in {namespaces} of its namespaces: each watches its snapshot, has credentials for the other "
    "cluster from the broker, and reports to it. An application calls through one of them, a call "
    "after the other, until an answer shows the edit: a Route's sends its calls to the other "
    "cluster, or back; a Tenant's takes the right to them, or gives it again, and all {sidecars} "
    "sidecars have to take it. The time is from the edit's beginning to that answer. An edit by "
    "the API is a PATCH on an open connection. By kubectl it is `kubectl apply` of the whole "
    "object, which has to start and to ask first; from its end, 0 means that the call was decided "
    "before kubectl had ended. Of all sidecars that an edit concerns, the times are those of their "
    "logs; CPU time has reports and all else that was done meanwhile in it. Everything shares this "
    "machine's cores."
)


@dataclass(frozen=True, slots=True)
class Extent:
    """How many sidecars, and edits of each kind and way."""

    namespaces: int
    sidecars: int
    by_api: int
    by_kubectl: int


WHOLE = Extent(namespaces=20, sidecars=200, by_api=25, by_kubectl=8)
QUICK = Extent(namespaces=2, sidecars=10, by_api=5, by_kubectl=2)


@dataclass(slots=True)
class Lags:
    """Milliseconds, of one kind of edit."""

    by_api: list[float] = field(default_factory=list)
    by_kubectl: list[float] = field(default_factory=list)
    after_kubectl: list[float] = field(default_factory=list)
    everywhere: list[float] = field(default_factory=list)
    sidecar_cpu_ms: float = 0.0  # of one edit, in the middle of all sidecars
    controller_cpu_ms: float = 0.0


def measure(*, quick: bool) -> list[Section]:
    """All of it, on planes of its own."""
    extent = QUICK if quick else WHOLE
    silent = [{"level": "None"}]
    with ControlPlane(audit_policy=silent) as plane, ControlPlane(audit_policy=silent) as west:
        home = Home(plane, plane.folder)
        try:
            stage = Stage(home, west, extent)
            lags = {kind: stage.run(kind) for kind in KINDS}
        finally:
            home.end()
    return [describe(extent, lags)]


class Stage:
    """What is there: the objects, and the sidecars by namespace."""

    def __init__(self, home: Home, west: ControlPlane, extent: Extent) -> None:
        self.home = home
        self.extent = extent
        self.names = [f"team-{number}" for number in range(extent.namespaces)]
        self.scene = BrokerScene(home, west, home.controller().wait_leads())
        self.scene.add_cluster(CLUSTER, {"token": self.scene.minter})
        home.apply(
            build_tenant(self.names, allowed=True),
            *(enforced(name, TENANT) for name in self.names),
        )
        role = "system:aggregate-to-view"
        for name, plane in itertools.product(self.names, (home.plane, west)):
            plane.create_service_account(name, ACCOUNT, cluster_role=role)
            answered = {"metadata": {"name": "who"}, "data": {"who": "home"}}
            if plane is west:
                answered["data"] = {"who": CLUSTER}
            plane.create(f"/api/v1/namespaces/{name}/configmaps", answered)
        for name in self.names:
            self.scene.list_account(name, ACCOUNT, TENANT)
        home.apply(*(build_route(name, CLUSTER) for name in self.names))
        for name in self.names:
            poll(lambda name=name: CLUSTER in str(home.policy(name)), 60)  # type: ignore[misc]
        print(f"  starting {extent.sidecars} sidecars", flush=True)
        began = time.monotonic()
        self.sidecars = self._start()
        print(f"  they are ready after {time.monotonic() - began:.0f} s", flush=True)

    def _start(self) -> dict[str, list[SidecarProcess]]:
        """The first mints what the others find; a few at a time, so that none waits too long."""
        made: dict[str, list[SidecarProcess]] = {name: [] for name in self.names}
        for number in range(self.extent.sidecars):
            name = self.names[number % len(self.names)]
            pod = f"app-{number}"
            address = self.scene.controller.address
            sidecar = self.home.sidecar(name, ACCOUNT, broker=address, MCA_POD=pod)
            token = self.scene.pod_token(name, pod)
            swap_data(sidecar.folder / "broker", {"token": token.encode()})
            made[name].append(sidecar)
        everyone = [sidecar for each in made.values() for sidecar in each]
        everyone[0].start()
        # By this thread: a sidecar ends with the one that has started it.
        for number in range(1, len(everyone), STARTERS):
            group = everyone[number : number + STARTERS]
            for sidecar in group:
                # What was free when they were made may be another's by now.
                sidecar.port, sidecar.admin_port = choose_port(), choose_port()
                sidecar.spawn()
            for sidecar in group:
                sidecar.wait_ready()
        for sidecar in everyone:
            poll(lambda sidecar=sidecar: list_loads(sidecar, 0.0), PATIENCE_S)  # type: ignore[misc]
        return made

    def run(self, kind: str) -> Lags:
        """All edits of one kind, each in the namespace whose turn it is."""
        lags = Lags()
        ways = ["api"] * self.extent.by_api + ["kubectl"] * self.extent.by_kubectl
        turns = itertools.cycle(self.names)
        processes = [self.scene.controller.process.pid, *(each.pid for each in self._list_all())]
        before = [cpu_seconds(pid) for pid in processes]
        for number, (way, name) in enumerate(zip(ways, turns, strict=False)):
            self.edit(kind, way, name, number, lags)
        edits = 2 * len(ways)
        pairs = zip(processes, before, strict=True)
        controller, *others = [(cpu_seconds(pid) - then) * 1000 / edits for pid, then in pairs]
        lags.controller_cpu_ms, lags.sidecar_cpu_ms = controller, statistics.median(others)
        shown = percentile(lags.by_api, 0.5), percentile(lags.by_api, 0.99)
        print(f"  {kind}: p50 {shown[0]:.0f} ms, p99 {shown[1]:.0f} ms by the API", flush=True)
        return lags

    def edit(self, kind: str, way: str, name: str, number: int, lags: Lags) -> None:
        """Do it, wait for a call that it decides, and set it back."""
        there, back = {
            "Route": (build_route(name, ""), build_route(name, CLUSTER)),
            "Tenant": (
                build_tenant(self.names, allowed=False),
                build_tenant(self.names, allowed=True),
            ),
        }[kind]
        wanted = {"Route": "home", "Tenant": "nobody"}[kind]
        sidecars = self.sidecars[name]
        with Caller(sidecars[number % len(sidecars)], name) as caller, Hand(self.home) as hand:
            caller.wait(CLUSTER)
            for document, answer in ((there, wanted), (back, CLUSTER)):
                wall, began = time.time(), time.monotonic()
                with ThreadPoolExecutor(1) as pool:
                    applied = pool.submit(hand.apply, way, document)
                    seen = caller.wait(answer)
                    ended = applied.result()
                if way == "api":
                    lags.by_api.append((seen - began) * 1000)
                else:
                    lags.by_kubectl.append((seen - began) * 1000)
                    lags.after_kubectl.append(max(0.0, (seen - ended) * 1000))
                time.sleep(REST_S)
                if way == "api":
                    concerned = sidecars if kind == "Route" else self._list_all()
                    lags.everywhere += list_lags(concerned, wall)

    def _list_all(self) -> Iterable[SidecarProcess]:
        return itertools.chain.from_iterable(self.sidecars.values())


class Caller:
    """An application in a pod, with one connection."""

    def __init__(self, sidecar: SidecarProcess, namespace: str) -> None:
        self._connection = http.client.HTTPSConnection(
            *sidecar.api, context=sidecar.trust(), timeout=PATIENCE_S
        )
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/who"
        self._headers = {"Authorization": f"Bearer {sidecar.token()}"}

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self) -> str:
        """Which cluster answers; nobody if it is forbidden."""
        self._connection.request("GET", self._path, headers=self._headers)
        response = self._connection.getresponse()
        document = json.loads(response.read())
        if response.status == http.client.FORBIDDEN:
            return "nobody"
        if response.status != http.client.OK:
            return str(document.get("message"))
        return str(document["data"]["who"])

    def wait(self, wanted: str) -> float:
        """When it was answered so."""
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self.ask()) != wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{answer!r} instead of {wanted!r}")
            time.sleep(LOOK_S)
        return time.monotonic()


class Hand:
    """An admin's: a connection that is open, and kubectl."""

    def __init__(self, home: Home) -> None:
        self._plane = home.plane
        trust = ssl.create_default_context(cadata=home.plane.ca_pem)
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", home.plane.port, context=trust, timeout=PATIENCE_S
        )

    def __enter__(self) -> "Hand":
        self._connection.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def apply(self, way: str, document: Any) -> float:
        """When it was done."""
        if way == "kubectl":
            self._plane.kubectl("apply", "-f", "-", input=json.dumps(document))
        else:
            self._patch(document)
        return time.monotonic()

    def _patch(self, document: Any) -> None:
        bearer = f"Bearer {self._plane.tokens['admin']}"
        body = json.dumps({"spec": document["spec"]})
        headers = {"Authorization": bearer, **MERGE}
        self._connection.request("PATCH", path_of(document), body, headers)
        response = self._connection.getresponse()
        told = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(told.decode())


def path_of(document: Any) -> str:
    """Of a Route or a Tenant."""
    meta = document["metadata"]
    if document["kind"] == "Tenant":
        return f"/apis/{API}/tenants/{meta['name']}"
    return f"/apis/{API}/namespaces/{meta['namespace']}/routes/{meta['name']}"


def build_route(namespace: str, to: str) -> Any:
    """To a cluster; with none it takes other calls than those that are made."""
    resources = ["configmaps"] if to else ["endpoints"]
    return route_of(namespace, "west", CLUSTER, {"resources": resources})


def build_tenant(names: Sequence[str], *, allowed: bool) -> Any:
    """It may read configmaps, or other things only."""
    resources = ["configmaps"] if allowed else ["endpoints"]
    permission = {"name": "read", "effect": "allow", "verbs": ["get"], "groups": [""]}
    permissions = [{**permission, "resources": resources}]
    return tenant_of(
        TENANT, *names, clusters=[CLUSTER], permissions=permissions, boundary="enforced"
    )


def list_loads(sidecar: SidecarProcess, since: float) -> list[float]:
    """When it has taken a snapshot, by its log."""
    told = (read_time(line["time"]) for line in sidecar.events("snapshot_loaded"))
    return [at for at in told if at >= since]


def list_lags(sidecars: Iterable[SidecarProcess], since: float) -> Iterator[float]:
    """Milliseconds until each of them has taken the next one."""
    for sidecar in sidecars:
        loads = poll(lambda sidecar=sidecar: list_loads(sidecar, since), PATIENCE_S)  # type: ignore[misc]
        yield (loads[0] - since) * 1000


def read_time(text: str) -> float:
    """Of a log's line."""
    return dt.datetime.fromisoformat(text).timestamp()


def describe(extent: Extent, lags: dict[str, Lags]) -> Section:
    """Every way of each kind; the goals are those of the API."""
    rows = []
    for kind, each in lags.items():
        for way, found in (
            ("by the API", each.by_api),
            ("all that it concerns", each.everywhere),
            ("by kubectl, from its start", each.by_kubectl),
            ("by kubectl, from its end", each.after_kubectl),
        ):
            shown = (percentile(found, share) for share in (0.5, 0.9, 0.99))
            rows.append([f"{kind}, {way}", *(f"{ms:.0f}" for ms in shown), f"{len(found)}"])
    goals = [
        Goal(
            f"a {kind}'s edit to the first call it decides, p99, {extent.sidecars} sidecars",
            f"≤ {MAX_S * 1000:.0f} ms",
            f"{percentile(each.by_api, 0.99):.0f} ms",
            percentile(each.by_api, 0.99) <= MAX_S * 1000,
        )
        for kind, each in lags.items()
    ]
    header = ("edit", "p50 ms", "p90 ms", "p99 ms", "measured")
    spent = [
        [kind, f"{each.controller_cpu_ms:.1f}", f"{each.sidecar_cpu_ms:.2f}"]
        for kind, each in lags.items()
    ]
    cost = ("CPU ms for an edit", "the controller, with the broker", "a sidecar, the median of all")
    tables = [Table(header, rows), Table(cost, spent)]
    method = METHOD.format(sidecars=extent.sidecars, namespaces=extent.namespaces)
    return Section("An edit's way to the sidecars", method, tables, goals)
