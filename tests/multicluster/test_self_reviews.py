"""Who asks what it may do is told what its calls would really meet: policy and RBAC, of the member
that would serve each."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.multicluster.scene import Planes, route, tenant
from tests.sidecar_process import Cluster, SidecarProcess

ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
PROTOBUF = "application/vnd.kubernetes.protobuf"

DEPLOYMENTS = "/apis/apps/v1/namespaces/team-a/deployments"

PERMISSIONS = [
    {
        "name": "work", "effect": "allow", "verbs": ["*"], "groups": ["", "apps"],
        "resources": [
            "pods", "pods/log", "pods/exec", "pods/proxy", "secrets", "services", "configmaps",
            "deployments", "persistentvolumes",
        ],
    },
    {
        "name": "keep-secrets", "effect": "deny", "verbs": ["list", "watch", "delete"],
        "groups": [""], "resources": ["secrets"],
    },
    {
        "name": "keep-main", "effect": "deny", "verbs": ["delete"], "groups": ["apps"],
        "resources": ["deployments"], "names": ["main"],
    },
    {
        "name": "metrics", "effect": "allow", "verbs": ["get"], "nonResourcePaths": ["/metrics"],
    },
]  # fmt: skip
SEEN = {
    "name": "namespaces", "verbs": ["get"], "groups": [""], "resources": ["namespaces"],
    "names": ["team-a"],
}  # fmt: skip


def edit_account(plane: ControlPlane) -> Cluster:
    """May look and edit at home."""
    account(plane, "reviewed", "system:aggregate-to-view")
    return account(plane, "reviewed", "system:aggregate-to-edit")


def view_account(plane: ControlPlane) -> Cluster:
    """May only look on the other."""
    return account(plane, "reviewed", "system:aggregate-to-view")


def account(plane: ControlPlane, name: str, role: str) -> Cluster:
    plane.create_service_account("reviews", name, cluster_role=role)
    return Cluster(plane.url, plane.ca_pem, token=plane.token("reviews", name))


@pytest.fixture(scope="module")
def sidecar(planes: Planes) -> Iterator[SidecarProcess]:
    rules = {
        "tenant": tenant(namespaces=["team-a"], permissions=PERMISSIONS, clusterResources=[SEEN]),
        "routes": [route("services", {"resources": ["services"]})],
    }
    clusters = (edit_account(planes.home), view_account(planes.west))
    with SidecarProcess(clusters, rules=rules) as process:
        yield process


CALLS = [
    ("get", "pods", "GET", "/api/v1/namespaces/team-a/pods/x"),
    ("list", "pods", "GET", "/api/v1/namespaces/team-a/pods"),
    ("deletecollection", "pods", "DELETE", "/api/v1/namespaces/team-a/pods?dryRun=All"),
    ("get", "pods/x --subresource=log", "GET", "/api/v1/namespaces/team-a/pods/x/log"),
    ("get", "pods/x --subresource=proxy", "GET", "/api/v1/namespaces/team-a/pods/x/proxy"),
    ("get", "secrets/x", "GET", "/api/v1/namespaces/team-a/secrets/x"),
    ("list", "secrets", "GET", "/api/v1/namespaces/team-a/secrets"),
    ("delete", "secrets/x", "DELETE", "/api/v1/namespaces/team-a/secrets/x"),
    ("delete", "deployments.apps/main", "DELETE", f"{DEPLOYMENTS}/main"),
    ("delete", "deployments.apps/x", "DELETE", f"{DEPLOYMENTS}/x"),
    # Policy allows them, RBAC at home does not.
    ("list", "limitranges", "GET", "/api/v1/namespaces/team-a/limitranges"),
    ("list", "configmaps", "GET", "/api/v1/namespaces/team-a/configmaps"),
    # The other member's RBAC counts: only reads.
    ("list", "services", "GET", "/api/v1/namespaces/team-a/services"),
    ("delete", "services/x", "DELETE", "/api/v1/namespaces/team-a/services/x"),
    # Without a namespace.
    ("list", "nodes", "GET", "/api/v1/nodes"),
    ("list", "persistentvolumes", "GET", "/api/v1/persistentvolumes"),
    ("get", "namespaces/team-a", "GET", "/api/v1/namespaces/team-a"),
    ("get", "namespaces/team-b", "GET", "/api/v1/namespaces/team-b"),
    ("list", "namespaces", "GET", "/api/v1/namespaces"),
    ("get", "/version", "GET", "/version"),
    ("get", "/metrics", "GET", "/metrics"),
    ("get", "/logs", "GET", "/logs"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "what", "method", "target"), CALLS)
def test_kubectl_is_told_what_the_call_would_meet(
    sidecar: SidecarProcess, verb: str, what: str, method: str, target: str
) -> None:
    told = sidecar.kubectl("auth", "can-i", verb, *what.split(), check=False)
    met = sidecar.request(method, target)
    assert told.stdout.split()[0] == ("no" if met.status == 403 else "yes"), (told, met.body)


def test_the_answers_are_not_all_the_same(sidecar: SidecarProcess) -> None:
    statuses = {sidecar.request(method, target).status for _, _, method, target in CALLS}
    assert {200, 403, 404} <= statuses


def ask(sidecar: SidecarProcess, **attributes: str) -> Any:
    spec = {"resourceAttributes": {"namespace": "team-a", **attributes}}
    answer = sidecar.request("POST", ACCESS, {"spec": spec})
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    assert document["kind"] == "SelfSubjectAccessReview"
    assert document["spec"] == spec
    return document["status"]


def test_the_reason_names_the_rule(sidecar: SidecarProcess) -> None:
    status = ask(sidecar, verb="list", resource="secrets")
    assert status["allowed"] is False
    assert status["denied"] is True
    assert "permission/keep-secrets" in status["reason"]
    outside = ask(sidecar, verb="list", resource="pods", namespace="team-b")
    assert "tenant/namespace" in outside["reason"]
    everywhere = sidecar.kubectl("auth", "can-i", "list", "pods", "-A", check=False)
    assert everywhere.stdout.startswith("no")
    assert "tenant/all-namespaces" in everywhere.stdout


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        ({"verb": "*", "group": "*", "resource": "*"}, False),
        ({"verb": "*", "resource": "secrets"}, False),
        ({"verb": "*", "resource": "services"}, False),
        ({"verb": "list", "group": "*", "resource": "pods"}, False),
        # Policy would let it; the role at home lists its verbs one by one.
        ({"verb": "*", "resource": "pods"}, False),
        ({"verb": "create", "resource": "pods", "subresource": "exec"}, True),
        ({"verb": "get", "resource": "pods/log"}, True),
        ({"verb": "impersonate", "resource": "serviceaccounts"}, False),
    ],
)
def test_asking_for_many_things_at_once(
    sidecar: SidecarProcess, attributes: dict[str, str], allowed: bool
) -> None:
    assert ask(sidecar, **attributes)["allowed"] is allowed


def test_what_goes_to_another_member_is_asked_there(
    planes: Planes, sidecar: SidecarProcess
) -> None:
    for resource, member in (("services", "west"), ("pods", "home")):
        attributes = {"namespace": "team-a", "verb": "list", "resource": resource}
        answer = sidecar.request("POST", ACCESS, {"spec": {"resourceAttributes": attributes}})
        assert planes.served_by(answer.headers["Audit-Id"]) == member


@pytest.mark.parametrize(
    ("path", "content_type", "content", "code"),
    [
        (ACCESS, "application/json", b"{", 400),
        (ACCESS, "application/json", b'{"spec": {}}', 400),
        (ACCESS, "application/json", b'{"spec": {"resourceAttributes": {}}, "spec": {}}', 400),
        (ACCESS, "application/yaml", b"spec:\n  resourceAttributes: {verb: get}\n", 415),
        (ACCESS, "application/cbor", b"", 415),
        (ACCESS, PROTOBUF, b"k8s\x00", 400),
        (RULES, "application/json", b"{", 400),
        (RULES, "application/json", b'{"spec": {"namespace": "a", "namespace": "b"}}', 400),
        (RULES, "application/yaml", b"spec: {namespace: team-a}\n", 415),
        (RULES, PROTOBUF, b"k8s\x00", 400),
    ],
)
def test_a_review_that_cannot_be_read_reaches_nobody(
    sidecar: SidecarProcess, path: str, content_type: str, content: bytes, code: int
) -> None:
    answer = sidecar.request("POST", path, content, headers={"Content-Type": content_type})
    assert answer.status == code
    assert answer.json()["kind"] == "Status"
    line = sidecar.wait_for_audit({answer.headers["Audit-Id"]})[answer.headers["Audit-Id"]]
    assert (line["decision"], line["rule"].partition("/")[0]) == ("denial", "body")


def rules_of(sidecar: SidecarProcess, namespace: str = "team-a") -> Any:
    answer = sidecar.request("POST", RULES, {"spec": {"namespace": namespace}})
    assert answer.status == 201, answer.body
    assert answer.json()["kind"] == "SelfSubjectRulesReview"
    return answer.json()["status"]


def test_the_list_of_rules_tells_what_may_be_done(sidecar: SidecarProcess) -> None:
    status = rules_of(sidecar)
    told = {
        (group, resource): set(rule["verbs"])
        for rule in status["resourceRules"]
        if "resourceNames" not in rule
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"])
    }
    assert {"get", "list", "create", "delete"} <= told["", "pods"]
    assert told["", "pods/log"] == {"get", "list", "watch"}
    assert "get" in told["", "secrets"]
    assert not told["", "secrets"] & {"list", "watch", "delete"}
    assert "delete" not in told["apps", "deployments"]
    for absent in ("services", "pods/proxy", "nodes", "persistentvolumes", "limitranges"):
        assert ("", absent) not in told
    assert status["incomplete"] is True
    assert "services is answered by cluster west (route/services)" in status["evaluationError"]
    assert "permission/keep-main denies a part of deployments.apps" in status["evaluationError"]


def test_each_rule_that_is_listed_holds(sidecar: SidecarProcess) -> None:
    """Every kind of a rule that can be listed is listed."""
    tried = 0
    for rule in rules_of(sidecar)["resourceRules"]:
        if "list" not in rule["verbs"]:
            continue
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"]):
            if "/" not in resource:
                prefix = f"/apis/{group}/v1" if group else "/api/v1"
                answer = sidecar.request("GET", f"{prefix}/namespaces/team-a/{resource}")
                assert answer.status == 200, (rule, answer.body)
                tried += 1
    assert tried >= 3


def test_nothing_is_listed_outside_the_tenant(sidecar: SidecarProcess) -> None:
    status = rules_of(sidecar, "team-b")
    resources = {resource for rule in status["resourceRules"] for resource in rule["resources"]}
    assert resources <= {
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "selfsubjectreviews",
        "namespaces",
    }


def test_kubectl_lists_the_rules(sidecar: SidecarProcess) -> None:
    """It asks in protobuf."""
    told = sidecar.kubectl("auth", "can-i", "--list")
    lines = [line.split() for line in told.stdout.splitlines()]
    assert any(line[0] == "pods" for line in lines)
    assert not any(line[0] in ("services", "nodes") for line in lines)
    assert "answered by cluster west" in told.stderr
    assert json.dumps(told.stdout).count("keep-secrets") == 0


def test_without_a_tenant_the_list_is_the_servers_own(planes: Planes) -> None:
    with SidecarProcess((edit_account(planes.home),)) as plain:
        told = rules_of(plain)
        body = {"spec": {"namespace": "team-a"}}
        token = planes.home.token("reviews", "reviewed")
        direct = planes.home.request("POST", RULES, body, token=token)
        assert sort(told) == sort(direct.json()["status"])


def sort(value: Any) -> Any:
    """In meaning: the server tells its rules in no order."""
    if isinstance(value, dict):
        return {key: sort(found) for key, found in value.items()}
    return sorted(map(sort, value), key=json.dumps) if isinstance(value, list) else value
