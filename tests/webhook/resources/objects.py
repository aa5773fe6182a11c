"""Custom resources as an API server tells of them, for tests to change."""

import base64
from typing import Any

PEM = b"-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
CA = base64.b64encode(PEM).decode()
EVERYTHING = {
    "name": "all", "effect": "allow", "verbs": ["*"], "groups": ["*"], "resources": ["*"],
}  # fmt: skip


def make_condition(name: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {
        "type": name,
        "status": status,
        "reason": "Found",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **more,
    }


def make_cluster(
    name: str = "eu-1", *holding: str, credentials: Any = None, **spec: Any
) -> dict[str, Any]:
    """With these conditions."""
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "server": f"https://{name}.example.com",
            "caBundle": CA,
            "credentials": {"audience": {}} if credentials is None else credentials,
            **spec,
        },
        "status": {"conditions": [make_condition(each) for each in holding]},
    }


def make_tenant(name: str = "acme", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Tenant",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "namespaces": {"names": ["team-a"]},
            "permissions": [EVERYTHING],
            **spec,
        },
    }


def make_match(*resources: str, groups: tuple[str, ...] = ("",), **more: Any) -> dict[str, Any]:
    return {"groups": [*groups], "resources": [*resources], **more}


def make_route(
    name: str = "dev",
    cluster: str = "eu-1",
    *,
    priority: Any = 0,
    match: Any = None,
    stand_ins: tuple[str, ...] = (),
    namespace: str = "team-a",
) -> dict[str, Any]:
    to: dict[str, Any] = {"members": [{"cluster": cluster}]}
    if stand_ins:
        to["standIns"] = [*stand_ins]
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Route",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "priority": priority,
            "match": [make_match("configmaps")] if match is None else match,
            "to": to,
        },
    }


def make_namespace(name: str = "team-a", tenant: str = "acme", **more: str) -> dict[str, Any]:
    """Labelled for a tenant; `more` are further labels of mca.io/, `uid` the annotation's."""
    uid = more.pop("uid", "")
    labels = {f"mca.io/{key}": text for key, text in more.items()}
    if tenant:
        labels["mca.io/tenant"] = tenant
    annotations = {"mca.io/tenant-uid": uid} if uid else {}
    return {"metadata": {"name": name, "labels": labels, "annotations": annotations}}
