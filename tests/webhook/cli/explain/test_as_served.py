"""`mca explain` says what a real sidecar does, and replay finds nothing to change in its lines."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import ISSUER
from tests.sidecar_process import SidecarProcess, cluster_of
from tests.webhook.cli.policy.scene import permission, route, tenant
from webhook.cli import main

NAMESPACES = ("served-a", "served-b")
RULES = {
    "tenant": tenant(
        permission("develop", groups=["", "apps", "batch"]),
        permission("no-exec", "deny", resources=["pods/exec"], containers=["agent"]),
        permission("keep", "deny", verbs=["delete", "deletecollection"], names=["lock-*"]),
        permission("ci", groups=["example.com"], resources=["*"], names=["ci-*"]),
        permission("metrics", verbs=["get"], nonResourcePaths=["/metrics"]),
        namespaces=list(NAMESPACES),
        clusterResources=[
            {"name": "classes", "verbs": ["get", "list"], "groups": ["storage.k8s.io"],
             "resources": ["storageclasses"]},
            {"verbs": ["get"], "groups": [""], "resources": ["namespaces"], "names": ["served-*"]},
        ],
    ),
    "routes": [
        route("dev", "west", {"groups": [""], "resources": ["*"], "namespaces": ["served-b"]}),
        route("ci", "west", {"groups": [""], "resources": ["configmaps"], "names": ["ci-*"]}),
    ],
}  # fmt: skip
A, B = (f"/api/v1/namespaces/{namespace}" for namespace in NAMESPACES)
CALLS = [
    ("GET", f"{A}/pods", "app"),
    ("GET", f"{A}/pods?limit=1&labelSelector=a%3Db", "app"),
    ("GET", f"{B}/pods", "app"),
    ("GET", f"{B}/pods/x/log?container=web", "app"),
    ("POST", f"{A}/pods/x/exec?container=web&command=ls", "agent"),
    ("POST", f"{A}/pods/x/exec?container=mca&command=ls", "app"),
    ("GET", f"{A}/pods/x/log?insecureSkipTLSVerifyBackend=true", "app"),
    ("GET", "/api/v1/pods", "app"),
    ("GET", "/api/v1/namespaces/kube-system/pods", "app"),
    ("GET", "/api/v1/nodes", "app"),
    ("GET", "/api/v1/namespaces/served-a", "app"),
    ("GET", "/api/v1/namespaces/kube-system", "app"),
    ("GET", "/apis/storage.k8s.io/v1/storageclasses", "agent"),
    ("DELETE", "/apis/storage.k8s.io/v1/storageclasses/x", "app"),
    ("DELETE", f"{A}/configmaps/lock-1", "app"),
    ("DELETE", f"{A}/configmaps", "app"),
    ("GET", f"{A}/configmaps/ci-1", "app"),
    ("GET", f"{A}/configmaps?fieldSelector=metadata.name%3Dci-1", "app"),
    ("POST", f"{A}/configmaps", "app"),
    ("POST", f"{B}/configmaps", "app"),
    ("PATCH", f"{A}/configmaps/ci-1", "app"),
    ("POST", f"{A}/serviceaccounts/default/token", "app"),
    ("POST", f"{A}/secrets", "app"),
    ("POST", f"{A}/bindings", "app"),
    ("GET", "/apis", "app"),
    ("GET", "/version", "app"),
    ("GET", "/metrics", "app"),
    ("GET", "/logs/", "app"),
    ("GET", "/api/v1/proxy/nodes/x", "app"),
]


@pytest.fixture(scope="module")
def sidecar(control_plane: ControlPlane) -> Iterator[SidecarProcess]:
    """Both its clusters are one, which nobody here can tell."""
    for namespace in NAMESPACES:
        control_plane.create_namespace(namespace)
    cluster = cluster_of(control_plane)
    with SidecarProcess(
        (cluster, cluster), rules=RULES, containers=("app", "agent"), namespace="served-a"
    ) as process:
        yield process


def serve(sidecar: SidecarProcess, method: str, path: str, container: str) -> dict[str, str]:
    """What the sidecar did with it, by its own audit line."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    body = b"{}" if method in ("POST", "PATCH") else None
    answer = sidecar.request(
        method, path, body, token=sidecar.token(container), headers={"Content-Type": kind}
    )
    ident = answer.headers["Audit-ID"]
    line = sidecar.wait_for_audit({ident})[ident]
    return {key: line.get(key, "") for key in ("decision", "rule", "member", "route")}


def explain(told: dict[str, Any]) -> dict[str, str]:
    """The same words for what was explained."""
    return {
        "decision": "denial" if told["verdict"] == "denied" else "permit",
        "rule": told["rule"],
        "member": told.get("member", ""),
        "route": told.get("plan", {}).get("route", ""),
    }


def test_served_as_explained(sidecar: SidecarProcess, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = str(sidecar.snapshot_path)
    for method, path, container in CALLS:
        words = ["--as-container", container, "--api-audience", ISSUER, method, path]
        main(["explain", "--snapshot", snapshot, "--json", *words])
        told = explain(json.loads(capsys.readouterr().out))
        served = serve(sidecar, method, path, container)
        assert (method, path, served) == (method, path, told)
    assert main(["policy", "replay", str(sidecar.stdout_path), "--snapshot", snapshot]) == 0
    assert capsys.readouterr().out.startswith(f"{len(CALLS)} calls replayed by revision r1: none")
