"""A cluster that two tenants share: their namespaces, and the objects in each.

Owns the objects, the marker that only the other tenant's objects hold, and what of theirs must stay
as it is. Must not know sidecars.
"""

import base64
import http.client
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.controlplane import ControlPlane

OURS = ("team-a", "team-a-dev")
THEIRS = "team-b"
GROUP = "example.com"
SETTLE_S = 15.0
MARKER = "only-team-b-knows-5d41402abc4b2a76"
# A Secret's data travels as base64, in JSON.
MARKER_BASE64 = base64.b64encode(MARKER.encode()).decode()

RawObject = dict[str, Any]


class Kind(NamedTuple):
    """A kind by the path of its group and version."""

    prefix: str
    resource: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """Where it is, or the object of that name."""
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.prefix}{within}/{self.resource}" + (f"/{name}" if name else "")


PODS = Kind("/api/v1", "pods", True)
CONFIGMAPS = Kind("/api/v1", "configmaps", True)
SECRETS = Kind("/api/v1", "secrets", True)
SERVICES = Kind("/api/v1", "services", True)
ACCOUNTS = Kind("/api/v1", "serviceaccounts", True)
DEPLOYMENTS = Kind("/apis/apps/v1", "deployments", True)
LEASES = Kind("/apis/coordination.k8s.io/v1", "leases", True)
ROLES = Kind("/apis/rbac.authorization.k8s.io/v1", "roles", True)
ROLE_BINDINGS = Kind("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True)
WIDGETS = Kind(f"/apis/{GROUP}/v1", "widgets", True)
GADGETS = Kind(f"/apis/{GROUP}/v1", "gadgets", False)
NAMESPACES = Kind("/api/v1", "namespaces", False)
NODES = Kind("/api/v1", "nodes", False)
VOLUMES = Kind("/api/v1", "persistentvolumes", False)
CLUSTER_ROLES = Kind("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False)
CLUSTER_ROLE_BINDINGS = Kind("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False)
DEFINITIONS = Kind("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False)
STORAGE_CLASSES = Kind("/apis/storage.k8s.io/v1", "storageclasses", False)
SIGNING_REQUESTS = Kind("/apis/certificates.k8s.io/v1", "certificatesigningrequests", False)

IN_NAMESPACES = (
    PODS, CONFIGMAPS, SECRETS, SERVICES, ACCOUNTS, DEPLOYMENTS, LEASES, ROLES, ROLE_BINDINGS,
    WIDGETS,
)  # fmt: skip
ABOVE_NAMESPACES = (
    GADGETS, NAMESPACES, NODES, VOLUMES, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, DEFINITIONS,
    STORAGE_CLASSES, SIGNING_REQUESTS,
)  # fmt: skip


def object_of(kind: Kind, name: str, note: str = "") -> RawObject:
    """A small valid object; the note stands where every answer but metadata's shows it."""
    made: RawObject = {"metadata": {"name": name, "labels": {"app": "web"}}}
    if note:
        made["metadata"]["annotations"] = {"note": note}
    made |= _BODIES.get(kind, {})
    if note and kind is CONFIGMAPS:
        made["data"] = {"note": note}
    if note and kind is SECRETS:
        made["data"] = {"note": base64.b64encode(note.encode()).decode()}
    return made


_TEMPLATE = {"containers": [{"name": "app", "image": "app:1"}]}
_BODIES: Mapping[Kind, RawObject] = {
    PODS: {"spec": _TEMPLATE},
    SERVICES: {"spec": {"ports": [{"port": 80}]}},
    DEPLOYMENTS: {
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": _TEMPLATE},
        }
    },
    ROLES: {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ROLE_BINDINGS: {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "somebody"}],
    },
    WIDGETS: {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "spec": {"replicas": 1}},
    GADGETS: {"apiVersion": f"{GROUP}/v1", "kind": "Gadget"},
    VOLUMES: {
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "nfs": {"server": "127.0.0.1", "path": "/"},
        }
    },
    CLUSTER_ROLES: {"rules": []},
    CLUSTER_ROLE_BINDINGS: {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "somebody"}],
    },
    STORAGE_CLASSES: {"provisioner": "example.com/none"},
}


def furnish(plane: ControlPlane) -> None:
    """Both tenants' namespaces, the same names in each; only theirs hold the marker."""
    plane.create(DEFINITIONS.path(), definition("Widget", namespaced=True))
    plane.create(DEFINITIONS.path(), definition("Gadget", namespaced=False))
    for namespace in OURS:
        plane.create_namespace(namespace)
    theirs = {"metadata": {"name": THEIRS, "annotations": {"note": MARKER}}}
    plane.create(NAMESPACES.path(), theirs)
    for kind in (WIDGETS, GADGETS):
        wait_served(plane, kind)
    for kind in IN_NAMESPACES:
        for namespace in OURS:
            plane.create(kind.path(namespace), object_of(kind, "web-0"))
        for name in ("web-0", "theirs"):
            plane.create(kind.path(THEIRS), object_of(kind, name, MARKER))
    for kind in (GADGETS, NODES, VOLUMES, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS):
        plane.create(kind.path(), object_of(kind, "theirs", MARKER))
    plane.create(GADGETS.path(), object_of(GADGETS, "shared-1"))
    plane.create(STORAGE_CLASSES.path(), object_of(STORAGE_CLASSES, "fast"))


def definition(kind: str, *, namespaced: bool) -> RawObject:
    """A CustomResourceDefinition of any shape, with status and scale."""
    plural = f"{kind.lower()}s"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
            },
        },
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    return {
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


def wait_served(plane: ControlPlane, kind: Kind) -> None:
    """A new kind takes objects a moment after it was defined."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        body = object_of(kind, "probe")
        answer = plane.request("POST", f"{kind.path(OURS[0] if kind.namespaced else '')}", body)
        if answer.status == http.client.CREATED:
            plane.request("DELETE", kind.path(OURS[0] if kind.namespaced else "", "probe"))
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{kind.resource}: {answer.status} {answer.body!r}")
        time.sleep(0.05)


def state_of_others(plane: ControlPlane) -> dict[str, tuple[str, str]]:
    """The uid and version of all that tenant A may not change, by path."""
    found = {}
    for kind in IN_NAMESPACES:
        for item in _items(plane, kind.path(THEIRS)):
            found[kind.path(THEIRS, item["metadata"]["name"])] = _version(item)
    for kind in ABOVE_NAMESPACES:
        for item in _items(plane, kind.path()):
            found[kind.path("", item["metadata"]["name"])] = _version(item)
    return found


def _items(plane: ControlPlane, path: str) -> Iterator[RawObject]:
    answer = plane.request("GET", path)
    assert answer.status == http.client.OK, answer.body
    yield from answer.json()["items"]


def _version(item: RawObject) -> tuple[str, str]:
    return item["metadata"]["uid"], item["metadata"]["resourceVersion"]


def scopes_of(plane: ControlPlane) -> dict[tuple[str, str], bool]:
    """Which kinds have namespaces, as the API server's own discovery says."""
    found: dict[tuple[str, str], bool] = {}
    groups = plane.request("GET", "/apis").json()["groups"]
    served = [item["groupVersion"] for group in groups for item in group["versions"]]
    for path in ("/api/v1", *(f"/apis/{group_version}" for group_version in served)):
        document = plane.request("GET", path).json()
        group = document["groupVersion"].rpartition("/")[0]
        for resource in document["resources"]:
            if "/" not in resource["name"]:
                found[group, resource["name"]] = resource["namespaced"]
    return found
