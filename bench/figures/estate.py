"""What admins and tenants have stated, in thousands: namespaces, Tenants, Clusters, Routes.

Must not measure.
"""

import http.client
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.controller.broker_scene import MINTER, RBAC, TYPE, encode, enforced
from tests.controller.scene import (
    ACCOUNT,
    API,
    NAMESPACE,
    Home,
    cluster_of,
    route_of,
    tenant_of,
)
from tests.controlplane import ControlPlane
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


def fill(home: Home, west: ControlPlane, size: Size) -> None:
    """Everything that admins and tenants state; behind all Clusters is one server."""
    kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
    share = size.namespaces // size.tenants
    members = [f"member-{number}" for number in range(size.clusters)]
    names = [f"ns-{number}" for number in range(size.namespaces)]
    objects = list(build_members(west, members))
    for number in range(size.tenants):
        own = names[number * share : (number + 1) * share]
        chosen = [members[(number + step) % size.clusters] for step in range(CLUSTERS_EACH)]
        tenant = tenant_of(f"tenant-{number}", *own, clusters=chosen, boundary="enforced")
        objects.append((f"/apis/{API}/tenants", tenant))
        objects += [("/api/v1/namespaces", enforced(name, f"tenant-{number}")) for name in own]
    create_all(kube, objects)
    routes = []
    for number in range(size.routes):
        namespace = names[number * size.namespaces // size.routes]
        turn = number * size.tenants // size.routes % size.clusters
        route = route_of(namespace, f"r{number}", members[turn])
        routes.append((f"/apis/{API}/namespaces/{namespace}/routes", route))
    create_all(kube, routes)
    kube.close()


def build_members(west: ControlPlane, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Clusters with what `mca cluster add` makes for each: a Secret, and the right to read it."""
    west.create_service_account("mca-access", MINTER)
    token = west.token("mca-access", MINTER, seconds=86_400)
    roles = f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}"
    account = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": ACCOUNT}
    for name in names:
        meta = {"name": f"mca-cluster-{name}"}
        reference = {"apiGroup": RBAC, "kind": "Role", **meta}
        rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
        rules = [{**rule, "resourceNames": [meta["name"]]}]
        secret = {"metadata": meta, "type": TYPE, "data": {"token": encode(token)}}
        binding = {"metadata": meta, "roleRef": reference, "subjects": [account]}
        credentials = {"tokenRequest": {"secretRef": meta}}
        yield f"/api/v1/namespaces/{NAMESPACE}/secrets", secret
        yield f"{roles}/roles", {"metadata": meta, "rules": rules}
        yield f"{roles}/rolebindings", binding
        yield f"/apis/{API}/clusters", cluster_of(name, west, **credentials)


def create_all(kube: Kube, objects: Iterable[tuple[str, Any]]) -> None:
    def create(entry: tuple[str, Any]) -> None:
        try:
            kube.request("POST", *entry)
        except KubeError as error:
            if error.status != http.client.CONFLICT:
                raise

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(create, objects))
