import copy
import json
from typing import Any

import pytest

from sidecar.policy.fields import Check, read_json
from sidecar.policy.selector_lists import ALL
from sidecar.policy.snapshot_tenant import (
    ClusterResource,
    Permission,
    Rate,
    Tenant,
    TenantLimits,
    read_tenant,
)

READ: dict[str, Any] = {
    "name": "read",
    "effect": "allow",
    "verbs": ["get", "list"],
    "groups": [""],
    "resources": ["pods"],
}
NARROW: dict[str, Any] = READ | {
    "name": "narrow",
    "effect": "deny",
    "namespaces": ["team-*"],
    "names": ["ci-*"],
    "containers": ["app"],
    "serviceAccounts": ["builder"],
}
PATHS: dict[str, Any] = {
    "name": "paths",
    "effect": "allow",
    "verbs": ["get"],
    "nonResourcePaths": ["/metrics"],
    "containers": ["app"],
}
CLASSES: dict[str, Any] = {
    "verbs": ["get"],
    "groups": ["storage.k8s.io"],
    "resources": ["storageclasses"],
}
LIMITS: dict[str, Any] = {
    "concurrentRequests": 20,
    "watches": 10,
    "rates": [{"perSecond": 0.5, "burst": 5}, {"verbs": ["list"], "perSecond": 2, "burst": 5}],
}
GOOD: dict[str, Any] = {
    "name": "acme",
    "mode": "enforce",
    "namespaces": ["team-a", "team-a-dev"],
    "permissions": [READ, NARROW, PATHS],
    "clusterResources": [CLASSES, CLASSES | {"name": "named", "names": ["fast"]}],
    "limits": LIMITS,
}
REMOVED = object()


def read(value: object) -> tuple[Tenant | None, list[str]]:
    check = Check()
    return read_tenant(check, read_json(json.dumps(value).encode())), check.errors


def changed(path: str, value: object) -> dict[str, Any]:
    """A good tenant with one thing changed, added or removed."""
    document: Any = copy.deepcopy(GOOD)
    here = document
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        here = here[step]
    if value is REMOVED:
        del here[last]
    else:
        here[last] = value
    return document  # type: ignore[no-any-return]


def test_a_good_tenant() -> None:
    pods = (("get", "list"), ("",), ("pods",))
    classes = (("get",), ("storage.k8s.io",), ("storageclasses",))
    assert read(GOOD) == (
        Tenant(
            "acme",
            "enforce",
            ("team-a", "team-a-dev"),
            (
                Permission("read", "allow", *pods, ALL, ALL, ALL, ALL),
                Permission("narrow", "deny", *pods, ("team-*",), ("ci-*",), ("app",), ("builder",)),
                Permission(
                    "paths", "allow", ("get",), (), (), ALL, ALL, ("app",), ALL, ("/metrics",)
                ),
            ),
            (ClusterResource("0", *classes), ClusterResource("named", *classes, ("fast",))),
            TenantLimits(20, 10, (Rate(ALL, ALL, ALL, 0.5, 5), Rate(("list",), ALL, ALL, 2, 5))),
        ),
        [],
    )


def test_a_tenant_that_may_do_nothing() -> None:
    lost = {"name": "acme", "mode": "enforce", "namespaces": [], "permissions": []}
    assert read(lost) == (Tenant("acme", "enforce", (), ()), [])


def test_mode_audit_and_no_limits() -> None:
    found, errors = read(changed("mode", "audit") | {"limits": None})
    assert found is not None
    assert (found.mode, found.limits, errors) == ("audit", None, [])
    found, _ = read(changed("limits", {}))
    assert found is not None
    assert found.limits == TenantLimits(0, 0, ())


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("name", "Acme", "tenant.name: must be a DNS-1123 label"),
        ("name", REMOVED, "tenant.name: is missing"),
        ("mode", "warn", "tenant.mode: must be enforce, or audit"),
        ("mode", [], "tenant.mode: must be enforce, or audit"),
        ("quota", {}, "tenant.quota: is not a field of version 1: remove it"),
        ("namespaces", ["*"], "tenant.namespaces[0]: must be a namespace's name, not a pattern"),
        ("namespaces", ["a", "a"], "tenant.namespaces[1]: 'a' stands twice"),
        ("namespaces", None, "tenant.namespaces: must be a list of 0 to 1000"),
        ("permissions", {}, "tenant.permissions: must be a list of 0 to 2000"),
        ("permissions/0", [], "tenant.permissions[0]: must be an object"),
        ("permissions/1/name", "read", "tenant.permissions[1].name: 'read' stands twice"),
        ("permissions/0/name", "a/b", "tenant.permissions[0].name: must be a name of"),
        ("permissions/0/name", REMOVED, "tenant.permissions[0].name: is missing"),
        ("permissions/0/effect", "Allow", "tenant.permissions[0].effect: must be allow or deny"),
        ("permissions/0/effect", REMOVED, "tenant.permissions[0].effect: is missing"),
        ("permissions/0/verbs", [], "tenant.permissions[0].verbs: is empty and matches nothing"),
        ("permissions/0/verbs", ["use"], "tenant.permissions[0].verbs[0]: must be * or one of"),
        ("permissions/0/verbs", REMOVED, "tenant.permissions[0].verbs: is missing"),
        ("permissions/0/groups", ["v1"] * 1001, "tenant.permissions[0].groups: must be a list"),
        ("permissions/0/groups", REMOVED, "tenant.permissions[0].groups: is missing"),
        ("permissions/0/resources", ["Pod"], "tenant.permissions[0].resources[0]: must be a plu"),
        ("permissions/0/resources", REMOVED, "tenant.permissions[0].resources: is missing"),
        ("permissions/1/namespaces", [], "tenant.permissions[1].namespaces: is empty"),
        ("permissions/1/names", ["a/b"], "tenant.permissions[1].names[0]: must be an object's"),
        ("permissions/1/containers", [""], "tenant.permissions[1].containers[0]: must be a cont"),
        ("permissions/1/serviceAccounts", [1], "permissions[1].serviceAccounts[0]: must be a serv"),
        ("permissions/1/nonResourcePaths", ["/a"], "permissions[1].groups: is not a field"),
        ("permissions/2/nonResourcePaths", [], "permissions[2].nonResourcePaths: is empty"),
        ("permissions/2/nonResourcePaths", ["a"], "permissions[2].nonResourcePaths[0]: must be"),
        ("permissions/2/verbs", ["list"], "permissions[2].verbs[0]: must be * or one of get, head"),
        ("permissions/2/names", ["a"], "tenant.permissions[2].names: is not a field"),
        ("clusterResources", None, "tenant.clusterResources: must be a list of 0 to 2000"),
        ("clusterResources/0", 1, "tenant.clusterResources[0]: must be an object"),
        ("clusterResources/0/name", "named", "clusterResources[1].name: 'named' stands twice"),
        ("clusterResources/1/name", "0", "clusterResources[1].name: '0' stands twice"),
        ("clusterResources/1/name", "", "clusterResources[1].name: must be a name of"),
        ("clusterResources/0/verbs", REMOVED, "clusterResources[0].verbs: is missing"),
        ("clusterResources/0/namespaces", ["a"], "clusterResources[0].namespaces: is not a field"),
        ("clusterResources/1/names", [], "clusterResources[1].names: is empty"),
        ("limits", [], "tenant.limits: must be an object"),
        ("limits/concurrentRequests", -1, "tenant.limits.concurrentRequests: must be a whole"),
        ("limits/watches", "1", "tenant.limits.watches: must be a whole number"),
        ("limits/rates", None, "tenant.limits.rates: must be a list of 0 to 64"),
        ("limits/rates/0", None, "tenant.limits.rates[0]: must be an object"),
        ("limits/rates/0/perSecond", 0, "tenant.limits.rates[0].perSecond: must be a number"),
        ("limits/rates/0/burst", 0, "tenant.limits.rates[0].burst: must be a whole number from 1"),
        ("limits/rates/0/burst", REMOVED, "tenant.limits.rates[0].burst: is missing"),
        ("limits/rates/1/verbs", [], "tenant.limits.rates[1].verbs: is empty"),
    ],
)
def test_one_thing_wrong_is_told_with_its_path(path: str, value: object, error: str) -> None:
    _, errors = read(changed(path, value))
    assert error in errors[0]
    assert all(line.startswith("tenant") for line in errors)


def test_what_is_no_tenant() -> None:
    assert read([]) == (None, ["tenant: must be an object"])
