"""A snapshot of any size, in which the same calls are permitted: by it costs are compared."""

import base64
from typing import Any

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
_GROUPS = (["", "apps"], ["batch"], ["*"], ["example.com", ""])
_RESOURCES = (["pods", "pods/*"], ["deployments", "*/scale"], ["configmaps", "secrets"], ["*"])
_VERBS = (["get", "list", "watch"], ["create", "update", "patch"], ["delete"], ["*"])


def snapshot_document(*, rules: int, namespaces: int) -> dict[str, Any]:
    """A tenant with so many permissions and namespaces, and a route for each ten of them.

    Of ten permissions one denies, two have a pattern, one names containers. The last allows all.
    """
    names = ["team-a", *(f"team-{number}" for number in range(1, namespaces))]
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Snapshot",
        "version": 1,
        "revision": f"{rules}-{namespaces}",
        "namespace": "team-a",
        "tenant": {
            "name": "acme",
            "mode": "enforce",
            "namespaces": names,
            "permissions": [
                *(_permission(number, names) for number in range(rules - 1)),
                _rule("all", ["*"], ["*"], ["*"]),
            ],
        },
        "clusters": [_cluster("home"), _cluster("east")],
        "routes": [_route(number, names) for number in range(rules // 10)],
    }


def _permission(number: int, names: list[str]) -> dict[str, Any]:
    rule = _rule(
        f"rule-{number}", _VERBS[number % 4], _GROUPS[number % 4], _RESOURCES[number // 4 % 4]
    )
    rule["namespaces"] = [names[number % len(names)], names[number * 7 % len(names)]]
    kind = number % 10
    if kind == 0:
        rule |= {"effect": "deny", "verbs": ["delete"], "names": [f"secret-{number}-*"]}
    elif kind == 1:
        rule["namespaces"] = [f"x{number}-*"]
    elif kind == 2:
        rule["names"] = [f"*-{number}", f"ci-{number}"]
    elif kind == 3:
        rule["containers"] = ["ci"]
    return rule


def _rule(name: str, verbs: list[str], groups: list[str], resources: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "effect": "allow",
        "verbs": verbs,
        "groups": groups,
        "resources": resources,
    }


def _cluster(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "server": f"https://{name}.example.com",
        "caBundle": base64.b64encode(PEM).decode(),
        "credentials": {"tokenFile": "/token"},
    }


def _route(number: int, names: list[str]) -> dict[str, Any]:
    match = {
        "groups": [""],
        "resources": ["pods", "pods/*"],
        "namespaces": [names[number % len(names)]],
        "names": [f"build-{number}-*"],
    }
    return {
        "name": f"route-{number}",
        "priority": number,
        "match": [match],
        "to": {"members": [{"cluster": "east"}], "standIns": ["home"]},
    }
