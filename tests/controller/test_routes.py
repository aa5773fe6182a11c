"""Attack 70, and what becomes of Routes that cannot be followed: as a tenant's own account."""

import http.client
from typing import Any

import pytest

from tests.controller.scene import (
    API,
    Home,
    cluster_of,
    namespace_of,
    poll,
    route_of,
    tenant_of,
)
from tests.controlplane import ControlPlane

ROUTES = f"/apis/{API}/namespaces/{{}}/routes"
MERGE = {"Content-Type": "application/merge-patch+json"}
pytestmark = pytest.mark.usefixtures("controller")


def owned(home: Home, name: str, **spec: Any) -> str:
    """A tenant with one namespace of its name, and the token of its owner."""
    home.plane.create_service_account("rts-owners", name)
    owner = {"kind": "ServiceAccount", "name": name, "namespace": "rts-owners"}
    home.apply(namespace_of(name, name), tenant_of(name, name, owners=[owner], **spec))
    token = home.plane.token("rts-owners", name)
    path = ROUTES.format(name)
    poll(lambda: home.plane.request("GET", path, token=token).status == http.client.OK, 30)
    return token


def verdict(home: Home, namespace: str, name: str) -> dict[str, Any]:
    return home.condition(f"{ROUTES.format(namespace)}/{name}", "Accepted")


def routes_in(home: Home, namespace: str) -> list[str]:
    found = home.policy(namespace)
    return [route["name"] for route in found["routes"]] if found else []


def test_a_flood_of_routes_is_bounded_and_revoking_gets_through(
    home: Home, west: ControlPlane
) -> None:
    home.apply(cluster_of("rts-west", west))
    token = owned(home, "rts-flood", clusters=["rts-west"])
    poll(lambda: "rts-west" in str(home.policy("rts-flood")), 30)
    path = ROUTES.format("rts-flood")
    for number in range(105):
        document = route_of("rts-flood", f"r{number:03}", "rts-west")
        document["spec"]["priority"] = 999 - number
        assert home.plane.request("POST", path, document, token=token).status == http.client.CREATED
    poll(lambda: routes_in(home, "rts-flood") == [f"r{number:03}" for number in range(100)], 30)
    poll(lambda: verdict(home, "rts-flood", "r104").get("reason") == "TooMany")
    poll(lambda: verdict(home, "rts-flood", "r099").get("status") == "True")
    change: dict[str, Any] = {"spec": {"clusters": []}}
    home.plane.request("PATCH", f"/apis/{API}/tenants/rts-flood", change, headers=MERGE)
    poll(lambda: "rts-west" not in str(home.policy("rts-flood")))
    poll(lambda: verdict(home, "rts-flood", "r000").get("reason") == "ClusterNotAllowed")


def test_a_verdict_is_not_the_tenants_to_write(home: Home) -> None:
    """Status is no input: neither with the object nor by its subresource."""
    token = owned(home, "rts-status")
    path = ROUTES.format("rts-status")
    said = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}  # fmt: skip
    forged = {**route_of("rts-status", "bad", "elsewhere"), "status": {"conditions": [said]}}
    answer = home.plane.request("POST", path, forged, token=token)
    assert "status" not in answer.json()
    body = {"status": forged["status"]}
    answer = home.plane.request("PATCH", f"{path}/bad/status", body, token=token, headers=MERGE)
    assert answer.status == http.client.FORBIDDEN
    poll(lambda: verdict(home, "rts-status", "bad").get("reason") == "ClusterNotAllowed")


def test_a_route_reaches_neither_clusters_nor_rules_of_others(home: Home) -> None:
    """Tenants and Clusters are not the tenant's to see, nor to write."""
    token = owned(home, "rts-own")
    for plural in ("tenants", "clusters"):
        path = f"/apis/{API}/{plural}"
        assert home.plane.request("GET", path, token=token).status == http.client.FORBIDDEN
        assert home.plane.request("POST", path, {}, token=token).status == http.client.FORBIDDEN
    elsewhere = ROUTES.format("rts-status")
    assert home.plane.request("GET", elsewhere, token=token).status == http.client.FORBIDDEN


def test_what_a_route_takes_does_not_fall_home(home: Home) -> None:
    """A client that was sent elsewhere must not create at home, whatever became of the cluster."""
    token = owned(home, "rts-closed")
    home.plane.create_service_account("rts-closed", "app", cluster_role="cluster-admin")
    poll(lambda: home.policy("rts-closed"))
    sidecar = home.sidecar("rts-closed", "app").start()
    maps = "/api/v1/namespaces/rts-closed/configmaps"
    poll(lambda: sidecar.request("GET", maps).status == http.client.OK)
    path = ROUTES.format("rts-closed")
    document = route_of("rts-closed", "away", "gone")
    assert home.plane.request("POST", path, document, token=token).status == http.client.CREATED
    poll(lambda: sidecar.request("GET", maps).status == http.client.SERVICE_UNAVAILABLE)
    answer = sidecar.request("GET", maps)
    assert "names a cluster that cannot be used" in answer.json()["message"]
    assert "kubectl get routes" in answer.json()["message"]
    # Other kinds, and discovery, are served as before.
    for other in ("/api/v1/namespaces/rts-closed/services", "/apis", "/api/v1"):
        assert sidecar.request("GET", other).status == http.client.OK
    home.plane.request("DELETE", f"{path}/away", token=token)
    poll(lambda: sidecar.request("GET", maps).status == http.client.OK)
