"""What admins and tenants have stated, in thousands: namespaces, Tenants, Clusters, Routes.

Must not measure.
"""

import http.client
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.controller.scene import API, Home, cluster_of, namespace_of, route_of, tenant_of
from webhook.kube import Kube, KubeError, open_kubeconfig

WRITERS = 8
CLUSTERS_EACH = 5  # of a Tenant


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
        chosen = [members[(number + step) % size.clusters] for step in range(CLUSTERS_EACH)]
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
