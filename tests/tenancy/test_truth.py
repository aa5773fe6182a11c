"""What a caller is told it may do is what it may: of every kind, each verb, in each namespace.

Policy and the clusters' RBAC both count: the account behind this sidecar may look and edit only.
"""

import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.controlplane import ControlPlane
from tests.sidecar_process import Cluster, SidecarProcess
from tests.tenancy.scene import DEV_ROUTE, TENANT, Scene
from tests.tenancy.town import GROUP, OURS, THEIRS
from tests.tenancy.wire import Answered, Sent, Wire

pytestmark = pytest.mark.apiserver

ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
JSON = (("Content-Type", "application/json"),)
# Resources, non-resource URLs, resource names, verbs.
LISTED = re.compile(r"^(\S+) +\[(.*?)\] +\[(.*?)\] +\[(.*?)\] *$", re.MULTILINE)
METHODS = {"get": "GET", "list": "GET", "create": "POST", "delete": "DELETE", "update": "PUT"}
# So that no verb and no kind is allowed or denied everywhere.
LOOK = {
    "name": "look",
    "effect": "allow",
    "verbs": ["get", "list", "delete"],
    "groups": ["", "apps", "batch", "rbac.authorization.k8s.io", GROUP],
    "resources": ["*"],
}
MAKE = {
    "name": "make",
    "effect": "allow",
    "verbs": ["create", "update"],
    "groups": ["*"],
    "resources": ["*"],
    "namespaces": [OURS[0]],
}
KEEP = {
    "name": "keep",
    "effect": "deny",
    "verbs": ["delete"],
    "groups": [""],
    "resources": ["services", "secrets"],
    "names": ["web-*"],
}


class Resource(NamedTuple):
    """One that discovery tells of."""

    prefix: str
    group: str
    name: str
    namespaced: bool
    verbs: tuple[str, ...]


def limited(plane: ControlPlane) -> Cluster:
    """The cluster, to an account that may look and edit."""
    for role in ("system:aggregate-to-view", "system:aggregate-to-edit"):
        plane.create_service_account("mca-tests", "limited", cluster_role=role)
    return Cluster(plane.url, plane.ca_pem, token=plane.token("mca-tests", "limited"))


@pytest.fixture(scope="module")
def sidecar(scene: Scene) -> Iterator[SidecarProcess]:
    rules = {"tenant": TENANT | {"permissions": [LOOK, MAKE, KEEP]}, "routes": [DEV_ROUTE]}
    clusters = [limited(plane) for plane in scene.planes]
    with SidecarProcess(clusters, namespace=OURS[0], rules=rules) as process:
        yield process


def resources_of(plane: ControlPlane) -> Iterator[Resource]:
    """Every kind of the cluster that has objects."""
    groups = plane.request("GET", "/apis").json()["groups"]
    preferred = [group["preferredVersion"]["groupVersion"] for group in groups]
    for prefix in ("/api/v1", *(f"/apis/{group_version}" for group_version in preferred)):
        document = plane.request("GET", prefix).json()
        group = document["groupVersion"].rpartition("/")[0]
        for told in document["resources"]:
            if "list" in told["verbs"] and "/" not in told["name"]:
                verbs = tuple(verb for verb in METHODS if verb in told["verbs"])
                yield Resource(prefix, group, told["name"], told["namespaced"], verbs)


def ask(wire: Wire, verb: str, resource: Resource, namespace: str, name: str) -> bool:
    attributes = {
        "verb": verb,
        "group": resource.group,
        "resource": resource.name,
        "namespace": namespace,
        "name": name,
    }
    review = {"spec": {"resourceAttributes": attributes}}
    answer = wire.ask(Sent("POST", ACCESS, JSON, json.dumps(review).encode()))
    assert answer.status == 201, answer.content
    return bool(json.loads(answer.content.partition(b"\n\n")[2])["status"]["allowed"])


def call(wire: Wire, verb: str, resource: Resource, namespace: str, name: str) -> Answered:
    within = f"/namespaces/{namespace}" if namespace else ""
    path = f"{resource.prefix}{within}/{resource.name}" + (f"/{name}" if name else "")
    if verb in ("get", "list"):
        return wire.ask(Sent("GET", path))
    # Found wanting only after it is found allowed; and nothing is changed by it.
    body = {"metadata": {"name": name or "web-0"}, "spec": "odd"}
    if verb == "delete":
        body = {"preconditions": {"uid": "none"}}
    return wire.ask(Sent(METHODS[verb], f"{path}?dryRun=All", JSON, json.dumps(body).encode()))


def test_a_review_tells_what_the_call_would_meet(scene: Scene, sidecar: SidecarProcess) -> None:
    different = []
    counts = Counter[tuple[str, bool]]()
    namespaces = (*OURS, THEIRS)
    with Wire(sidecar.port, sidecar.ca_pem, sidecar.token()) as wire:
        for resource in resources_of(scene.home):
            places = namespaces if resource.namespaced else ("",)
            for verb, namespace in itertools.product(resource.verbs, places):
                name = "" if verb in ("list", "create") else "web-0"
                told = ask(wire, verb, resource, namespace, name)
                met = call(wire, verb, resource, namespace, name)
                counts[verb, told] += 1
                if told != (met.status != 403):
                    different.append((verb, resource, namespace, told, met.status, met.rule))
    sys.stdout.write(f"{counts.total()} asked: {counts}\n")
    assert different == []
    assert {(verb, told) for verb in METHODS for told in (True, False)} <= counts.keys()


@pytest.mark.parametrize("namespace", OURS)
def test_the_list_of_rules_holds(scene: Scene, sidecar: SidecarProcess, namespace: str) -> None:
    """`kubectl auth can-i --list`: whatever it names is allowed, one by one."""
    listed = sidecar.kubectl("auth", "can-i", "--list", "-n", namespace).stdout
    known = {
        f"{resource.name}.{resource.group}" if resource.group else resource.name: resource
        for resource in resources_of(scene.home)
    }
    asked = 0
    with Wire(sidecar.port, sidecar.ca_pem, sidecar.token()) as wire:
        for full, _, names, verbs in LISTED.findall(listed):
            resource = known.get(full)
            if resource is None:
                continue
            for verb, name in itertools.product(verbs.split(), names.split() or ["any"]):
                where = namespace if resource.namespaced or full == "namespaces" else ""
                named = "" if verb in ("list", "create", "watch", "deletecollection") else name
                assert ask(wire, verb, resource, where, named), (full, verb, named)
                asked += 1
    # On the other cluster little can be told by a list: all of it is in doubt.
    assert asked > 10 or namespace == OURS[1], listed
