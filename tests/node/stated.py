"""What an admin and a tenant state with kubectl, and a second cluster that it is about.

Owns those documents and that cluster: a plain control plane that pods reach by the node's address.
Must not judge what comes of it.
"""

import base64
import json
from pathlib import Path
from typing import Any

from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import ISSUER
from tests.node.configuration import ADDRESS
from tests.node.installation import MEMBER_AUDIENCE, NAMESPACE
from tests.node.node import Node

TENANT = "acme"
SPACE = "acme-a"
CLUSTER = "eu-1"
TRUSTING = "us-1"
PREFIX = "home:"
SECRET = f"mca-cluster-{CLUSTER}"
API = "mca.io/v1alpha1"
RBAC = "rbac.authorization.k8s.io"
# By this name its certificate is verified: it has none for the node's address.
SERVER_NAME = "kubernetes.default.svc"


def make_member() -> ControlPlane:
    """Not started yet."""
    return ControlPlane(flags={"bind-address": "0.0.0.0", "advertise-address": ADDRESS})


def make_trusting_member(node: Node, folder: Path) -> ControlPlane:
    """One that trusts the node's cluster for one audience; its users have a prefix there."""
    node.plane.create(
        f"/apis/{RBAC}/v1/clusterrolebindings",
        {
            "metadata": {"name": "discovery"},
            "roleRef": {
                "apiGroup": RBAC,
                "kind": "ClusterRole",
                "name": "system:service-account-issuer-discovery",
            },
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": "system:unauthenticated"}],
        },
    )
    issuer = {
        "url": ISSUER,
        "discoveryURL": f"{node.plane.url}/.well-known/openid-configuration",
        "certificateAuthority": node.plane.authority.pem,
        "audiences": [MEMBER_AUDIENCE],
    }
    user = {"claim": "sub", "prefix": PREFIX}
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": {"username": user}}],
    }
    path = folder / "authentication.json"
    path.write_text(json.dumps(document))
    return ControlPlane(
        flags={
            "bind-address": "0.0.0.0",
            "advertise-address": ADDRESS,
            "authentication-config": str(path),
            "service-account-issuer": "https://us-1.example.com",
        }
    )


def let_in(plane: ControlPlane) -> None:
    """The tenant's account, as the member knows it."""
    user = {
        "apiGroup": RBAC,
        "kind": "User",
        "name": f"{PREFIX}system:serviceaccount:{SPACE}:app",
    }
    plane.create(
        f"/apis/{RBAC}/v1/clusterrolebindings",
        {
            "metadata": {"name": "tenant"},
            "roleRef": {
                "apiGroup": RBAC,
                "kind": "ClusterRole",
                "name": "system:aggregate-to-view",
            },
            "subjects": [user],
        },
    )


def state_trusting_cluster(member: ControlPlane) -> dict[str, Any]:
    """Nothing is stored for it."""
    return {
        "apiVersion": API,
        "kind": "Cluster",
        "metadata": {"name": TRUSTING},
        "spec": {
            "server": f"https://{ADDRESS}:{member.port}",
            "caBundle": base64.b64encode(member.authority.pem.encode()).decode(),
            "tlsServerName": SERVER_NAME,
            "credentials": {"audience": {"name": MEMBER_AUDIENCE}},
        },
    }


def furnish(plane: ControlPlane, at: str) -> str:
    """A ConfigMap that says where it is; the token of who may read it."""
    plane.create_service_account(SPACE, "home", cluster_role="system:aggregate-to-view")
    plane.create(
        f"/api/v1/namespaces/{SPACE}/configmaps",
        {"metadata": {"name": "where"}, "data": {"at": at}},
    )
    return plane.token(SPACE, "home")


def state_cluster(member: ControlPlane, token: str) -> list[dict[str, Any]]:
    """A Cluster, its credential, and the leave for the controller to read that one Secret."""
    only = {"name": SECRET, "namespace": NAMESPACE}
    account = {"kind": "ServiceAccount", "name": "mca-controller", "namespace": NAMESPACE}
    rule = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": [SECRET],
        "verbs": ["get"],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**only, "annotations": {"mca.io/tenant": TENANT}},
            "type": "mca.io/cluster-credentials",
            "stringData": {"token": token},
        },
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": only, "rules": [rule]},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": only,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": SECRET},
            "subjects": [account],
        },
        {
            "apiVersion": API,
            "kind": "Cluster",
            "metadata": {"name": CLUSTER},
            "spec": {
                "server": f"https://{ADDRESS}:{member.port}",
                "caBundle": base64.b64encode(member.authority.pem.encode()).decode(),
                "tlsServerName": SERVER_NAME,
                "credentials": {"secretRef": {"name": SECRET}},
            },
        },
    ]


def state_tenant(*clusters: str) -> dict[str, Any]:
    """May do everything in its one namespace."""
    everything = {"name": "all", "effect": "allow"}
    words = {"verbs": ["*"], "groups": ["*"], "resources": ["*"]}
    return {
        "apiVersion": API,
        "kind": "Tenant",
        "metadata": {"name": TENANT},
        "spec": {
            "namespaces": {"names": [SPACE], "create": True, "reclaim": "delete"},
            "clusters": list(clusters),
            "permissions": [{**everything, **words}],
            "serviceAccounts": ["app"],
        },
    }


def state_route(cluster: str = CLUSTER) -> dict[str, Any]:
    """ConfigMaps of the namespace are that cluster's."""
    return {
        "apiVersion": API,
        "kind": "Route",
        "metadata": {"name": "config", "namespace": SPACE},
        "spec": {
            "match": [{"groups": [""], "resources": ["configmaps"]}],
            "to": {"members": [{"cluster": cluster}]},
        },
    }


def apply(node: Node, *documents: dict[str, Any]) -> None:
    """As the cluster's admin."""
    whole = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    node.plane.kubectl("apply", "-f", "-", input=json.dumps(whole))
