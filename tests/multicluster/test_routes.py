"""One address, two clusters: which of them a call reaches, as their own audit logs tell."""

import json
from collections.abc import Iterator

import pytest

from tests.multicluster.scene import Planes, configmap, route, tenant
from tests.sidecar_process import SidecarProcess

ROUTES = [
    route("by-namespace", {"namespaces": ["west-only"]}, priority=900),
    route("by-group", {"groups": ["apps"]}),
    route("by-resource", {"resources": ["services", "services/*"]}),
    route("by-verb", {"resources": ["podtemplates"], "verbs": ["list", "watch"]}),
    route("by-name", {"resources": ["configmaps"], "names": ["ci-*", "ambx*"]}),
    route("by-container", {"resources": ["configmaps"], "containers": ["builder"]}),
    route("by-account", {"resources": ["limitranges"], "serviceAccounts": ["default"]}),
    route("not-this-account", {"resources": ["resourcequotas"], "serviceAccounts": ["other"]}),
    route("pods", {"resources": ["pods", "pods/*"], "namespaces": ["team-b"]}),
]
CONTAINERS = ("app", "builder")


@pytest.fixture(scope="module")
def sidecar(planes: Planes) -> Iterator[SidecarProcess]:
    rules = {"tenant": tenant(), "routes": ROUTES}
    with SidecarProcess(planes.clusters, rules=rules, containers=CONTAINERS) as process:
        yield process


@pytest.mark.parametrize(
    ("target", "member", "named"),
    [
        ("/api/v1/namespaces/team-a/configmaps", "home", ""),
        ("/api/v1/namespaces/west-only/configmaps", "west", "by-namespace"),
        ("/apis/apps/v1/namespaces/team-a/deployments", "west", "by-group"),
        ("/apis/batch/v1/namespaces/team-a/jobs", "home", ""),
        ("/api/v1/namespaces/team-a/services", "west", "by-resource"),
        ("/api/v1/namespaces/team-a/services/x/status", "west", "by-resource"),
        ("/api/v1/namespaces/team-a/podtemplates", "west", "by-verb"),
        ("/api/v1/namespaces/team-a/podtemplates/x", "home", ""),
        ("/api/v1/namespaces/team-a/configmaps/ci-1", "west", "by-name"),
        ("/api/v1/namespaces/team-a/configmaps/other", "home", ""),
        ("/api/v1/namespaces/team-a/limitranges", "west", "by-account"),
        ("/api/v1/namespaces/team-a/resourcequotas", "home", ""),
        ("/api/v1/namespaces/team-b/pods", "west", "pods"),
        ("/api/v1/namespaces/team-b/pods/p/log", "west", "pods"),
        ("/api/v1/namespaces/team-a/pods/p/log", "home", ""),
    ],
)
def test_reads_reach_the_member_of_their_route(
    planes: Planes, sidecar: SidecarProcess, target: str, member: str, named: str
) -> None:
    answer = sidecar.request("GET", target)
    assert answer.status in (200, 404), answer.body
    ident = answer.headers["Audit-Id"]
    assert planes.served_by(ident) == member
    line = sidecar.wait_for_audit({ident})[ident]
    assert (line["member"], line.get("route", "")) == (member, named)
    assert line["decision"] == "permit"


def test_a_container_has_its_own_routes(planes: Planes, sidecar: SidecarProcess) -> None:
    target = "/api/v1/namespaces/team-a/configmaps"
    for container, member in (("app", "home"), ("builder", "west")):
        answer = sidecar.request("GET", target, token=sidecar.token(container))
        assert planes.served_by(answer.headers["Audit-Id"]) == member


@pytest.mark.parametrize(
    ("subresource", "query"),
    [("exec", "?command=ls&stdout=true"), ("portforward", ""), ("attach", "?stdout=true")],
)
def test_upgrades_reach_the_member_of_their_route(
    planes: Planes, sidecar: SidecarProcess, subresource: str, query: str
) -> None:
    """There is no kubelet, so the answer is the API server's own error: that of the right one."""
    for namespace, member in (("team-b", "west"), ("team-a", "home")):
        answer = sidecar.request(
            "GET",
            f"/api/v1/namespaces/{namespace}/pods/p/{subresource}{query}",
            headers={
                "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
                "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
            },
        )  # fmt: skip
        assert answer.status == 404, answer.body
        assert planes.served_by(answer.headers["Audit-Id"]) == member


def test_writes_follow_the_name_in_their_body(planes: Planes, sidecar: SidecarProcess) -> None:
    target = "/api/v1/namespaces/team-a/configmaps"
    for name, member in (("ci-write", "west"), ("other-write", "home")):
        made = sidecar.request("POST", target, configmap(name, a="1"))
        assert made.status == 201, made.body
        assert planes.served_by(made.headers["Audit-Id"]) == member
        plane = planes.planes()[member]
        there = plane.request("GET", f"{target}/{name}")
        assert there.json()["metadata"]["uid"] == made.json()["metadata"]["uid"]
        changed = made.json() | {"data": {"a": "2"}}
        put = sidecar.request("PUT", f"{target}/{name}", changed)
        assert put.status == 200, put.body
        patched = sidecar.request(
            "PATCH", f"{target}/{name}", json.dumps({"data": {"b": "3"}}).encode(),
            headers={"Content-Type": "application/merge-patch+json"},
        )  # fmt: skip
        assert patched.json()["data"] == {"a": "2", "b": "3"}
        gone = sidecar.request("DELETE", f"{target}/{name}")
        assert gone.status == 200
        assert planes.served_by(gone.headers["Audit-Id"]) == member
        assert plane.request("GET", f"{target}/{name}").status == 404


@pytest.mark.parametrize(("prefix", "member"), [("ci-gen-", "west"), ("c", "home"), ("amb", None)])
def test_a_name_that_the_server_makes_is_not_guessed(
    planes: Planes, sidecar: SidecarProcess, prefix: str, member: str | None
) -> None:
    """Only where every name that it could make goes to one member."""
    target = "/api/v1/namespaces/team-a/configmaps"
    answer = sidecar.request("POST", target, {"metadata": {"generateName": prefix}})
    if member is None:
        assert answer.status == 403
        assert answer.headers["Mca-Decision"] == "route/generate-name"
    else:
        assert answer.status == 201
        assert planes.served_by(answer.headers["Audit-Id"]) == member


def test_an_owner_on_another_cluster_is_refused(sidecar: SidecarProcess) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1"}
    body = configmap("ci-owned")
    body["metadata"]["ownerReferences"] = [owner]
    answer = sidecar.request("POST", "/api/v1/namespaces/team-a/configmaps", body)
    assert answer.status == 403
    assert answer.headers["Mca-Decision"] == "route/owner-references"


def test_kubectl_works_across_both(planes: Planes, sidecar: SidecarProcess) -> None:
    """Unmodified: it discovers, creates, lists, describes and deletes."""
    manifest = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "team-a"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }  # fmt: skip
    sidecar.kubectl("apply", "-f", "-", input=json.dumps(manifest))
    west = planes.west.request("GET", "/apis/apps/v1/namespaces/team-a/deployments/web")
    assert west.status == 200
    home = planes.home.request("GET", "/apis/apps/v1/namespaces/team-a/deployments/web")
    assert home.status == 404
    sidecar.kubectl("scale", "-n", "team-a", "deployment/web", "--replicas=3")
    shown = sidecar.kubectl("get", "-n", "team-a", "deployments,configmaps").stdout
    assert "deployment.apps/web" in shown
    assert "web" in sidecar.kubectl("describe", "-n", "team-a", "deployment/web").stdout
    sidecar.kubectl("delete", "-n", "team-a", "deployment/web")
    assert planes.west.request("GET", "/apis/apps/v1/namespaces/team-a/deployments/web").status in (
        200,
        404,
    )


def test_lists_of_all_namespaces_say_what_to_do(sidecar: SidecarProcess) -> None:
    for target in ("/api/v1/configmaps", "/api/v1/configmaps?watch=1"):
        answer = sidecar.request("GET", target)
        assert answer.status == 403
        assert answer.headers["Mca-Decision"] == "tenant/all-namespaces"
        assert "team-a" in answer.json()["message"]


def test_routings_are_counted(sidecar: SidecarProcess) -> None:
    before = sidecar.metric("mca_routing_decisions_total", route="by-group", cluster="west")
    sidecar.request("GET", "/apis/apps/v1/namespaces/team-a/replicasets")
    after = sidecar.metric("mca_routing_decisions_total", route="by-group", cluster="west")
    assert after == before + 1
    assert sidecar.metric("mca_cluster_health_status") == 2
