"""A snapshot with a tenant and a route, as a document that tests change before they write it.

Must not know what is tested.
"""

import json
from pathlib import Path
from typing import Any

Raw = dict[str, Any]


def permission(name: str, effect: str = "allow", **selectors: Any) -> Raw:
    """One permission; by default on everything of the core group."""
    usual = {} if "nonResourcePaths" in selectors else {"groups": [""], "resources": ["*"]}
    return {"name": name, "effect": effect, "verbs": ["*"], **usual, **selectors}


def cluster(name: str) -> Raw:
    return {
        "name": name,
        "server": f"https://{name}.example.com",
        "caBundle": {"caFile": "/ca.crt"},
        "tlsServerName": None,
        "credentials": {"tokenFile": f"/{name}/token"},
    }


def route(name: str, member: str, *match: Raw, priority: int = 0, **to: Any) -> Raw:
    return {
        "name": name,
        "priority": priority,
        "match": list(match),
        "to": {"members": [{"cluster": member}], **to},
    }


def tenant(*permissions: Raw, **more: Any) -> Raw:
    usual: Raw = {"name": "acme", "mode": "enforce", "namespaces": ["team-a", "team-b"]}
    return {**usual, "permissions": list(permissions), **more}


def document(whose: Raw | None, *routes: Raw) -> Raw:
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Snapshot",
        "version": 1,
        "revision": "r1",
        "namespace": "team-a",
        "tenant": whose,
        "clusters": [cluster("home"), cluster("eu-1"), cluster("us-1")],
        "routes": list(routes),
    }


USUAL = document(
    tenant(
        permission("develop", groups=["", "apps"]),
        permission("no-exec", "deny", resources=["pods/exec"], containers=["agent*"]),
        permission("metrics", verbs=["get"], nonResourcePaths=["/metrics"]),
        clusterResources=[
            {
                "verbs": ["get", "list"],
                "groups": ["storage.k8s.io"],
                "resources": ["storageclasses"],
            }
        ],
    ),
    route(
        "builds",
        "eu-1",
        {"groups": [""], "resources": ["pods", "pods/*"], "namespaces": ["team-b"]},
        standIns=["us-1"],
    ),
)


def write(path: Path, content: Raw = USUAL) -> str:
    path.write_text(json.dumps(content))
    return str(path)
