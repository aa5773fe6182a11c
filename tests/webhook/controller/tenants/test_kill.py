"""`kill -9` right after each single write of provisioning a tenant: it always ends the same."""

import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.webhook.controller.tenants.interruption import Interruption
from tests.webhook.controller.tenants.scene import Controller, Home
from webhook.controller.tenants.kinds import KINDS
from webhook.resources.names import TENANTS_PATH

SPEC: dict[str, Any] = {
    "quota": {"pods": "10"},
    "containerLimits": [{"type": "Container", "max": {"cpu": "1"}}],
    "network": {"isolate": True},
    "serviceAccounts": ["runner"],
    "owners": [{"kind": "User", "name": "ann"}],
    "permissions": [
        {"name": "all", "effect": "allow", "verbs": ["*"], "groups": ["*"], "resources": ["*"]}
    ],
}
# Of a tenant with this, and of its namespace.
PARTS = 11
# The least that its end takes: no access, no namespace, no finalizer.
LEAVES = 3
_OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")


def read_end(home: Home, name: str) -> dict[str, Any]:
    """Everything that a tenant is made of, with its name and uid as those of any."""
    tenant = home.get(f"{TENANTS_PATH}/{name}")
    assert tenant is not None
    namespace = home.get(f"/api/v1/namespaces/{name}")
    documents = [tenant, namespace, *_list_content(home, name)]
    text = json.dumps([_strip(document) for document in documents if document], sort_keys=True)
    text = text.replace(tenant["metadata"]["uid"], "UID").replace(name, "NAME")
    return {f"{raw['kind']} {raw['metadata']['name']}": raw for raw in json.loads(text)}


def _list_content(home: Home, namespace: str) -> Iterator[dict[str, Any]]:
    paths = {kind.name: kind.path(namespace) for kind in KINDS}
    paths["ConfigMap"] = f"/api/v1/namespaces/{namespace}/configmaps"
    for kind, path in paths.items():
        for raw in (home.get(path) or {})["items"]:
            yield {"kind": kind, **raw}


def _strip(document: dict[str, Any]) -> dict[str, Any]:
    """Without what is another each time, and without what is written of a moment."""
    metadata = {
        key: value for key, value in document["metadata"].items() if key not in _OF_THE_SERVER
    }
    metadata.get("annotations", {}).pop("mca.io/revision", None)  # a hash with the name in it
    status = document.get("status") or {}
    status.pop("sidecars", None)
    conditions = [
        {**raw, "lastTransitionTime": ""}
        for raw in status.get("conditions") or ()
        if raw["type"] != "SidecarsCurrent"  # it comes when it comes, from who counts reports
    ]
    conditions.sort(key=lambda raw: raw["type"])
    found = {**document, "metadata": metadata, "status": {**status, "conditions": conditions}}
    for key, text in (found.get("data") or {}).items():
        snapshot = json.loads(text)
        snapshot["revision"] = ""
        found["data"] = {**found["data"], key: snapshot}
    return found


def provision(home: Home, name: str, reclaim: str = "retain") -> None:
    choice = {"names": [name], "create": True, "reclaim": reclaim}
    home.make_tenant(name, **SPEC, namespaces=choice)


def test_killed_after_each_write_it_ends_the_same(home: Home, tmp_path: Path) -> None:
    """Parts of the controller work at the same time, so that writes come in any order."""
    with Interruption(home.plane) as proxy:
        controller = Controller(home, tmp_path, proxy.url, measured=False)
        controller.start()
        try:
            provision(home, "calm")
            home.wait(lambda: home.is_ready("calm"), "undisturbed")
            home.wait(lambda: "ConfigMap mca-policy" in read_end(home, "calm"))
            expected = read_end(home, "calm")
            assert len(expected) == PARTS
            for number in itertools.count(1):
                name = f"storm{number}"
                ends = functools.partial(ends_as, home, name, expected)
                proxy.count(name, number, controller.kill)
                provision(home, name)
                home.wait(lambda ends=ends: proxy.is_dead or ends(), f"write {number}")  # type: ignore[misc]
                if not proxy.is_dead:
                    assert number > PARTS
                    return
                proxy.revive()
                controller.start()
                told = functools.partial(tell_end, home, expected, name, number)
                home.wait(ends, told)
        finally:
            controller.kill()


def test_a_start_writes_nothing_where_all_is_as_stated(home: Home, tmp_path: Path) -> None:
    """Whatever API servers fill in, and however they spell a quantity."""
    odd = {
        "quota": {"requests.cpu": "4000m", "requests.memory": "1024Mi", "pods": "010"},
        "containerLimits": [
            {"type": "Container", "max": {"cpu": "2000m"}, "min": {"memory": "4096Ki"}},
            {"type": "Pod", "max": {"cpu": "4.0"}},
        ],
        "network": {
            "isolate": True,
            "allow": {
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
                "egress": [{"ports": [{"port": 443, "endPort": 444}]}, {}],
            },
        },
    }
    with Interruption(home.plane) as proxy:
        controller = Controller(home, tmp_path, proxy.url, measured=False)
        controller.start()
        try:
            home.make_tenant("still", **SPEC | odd, namespaces={"names": ["still"], "create": True})
            home.wait(lambda: home.is_ready("still"), lambda: home.conditions("still"))
            controller.kill()
            proxy.count("still", 0, controller.kill)
            controller.start()
            # It stands behind all others in the queue.
            provision(home, "zealous")
            home.wait(lambda: home.is_ready("zealous"))
            written = [told for told in proxy.writes if "/still" in told]
            assert [told for told in written if not told.endswith("/status")] == []
        finally:
            controller.kill()


def test_killed_after_each_write_of_its_end_nothing_is_left(home: Home, tmp_path: Path) -> None:
    """Access, the namespace that it made, and at last the finalizer."""
    with Interruption(home.plane) as proxy:
        controller = Controller(home, tmp_path, proxy.url, measured=False)
        controller.start()
        try:
            for number in itertools.count(1):
                name = f"leave{number}"
                gone = functools.partial(is_gone, home, name)
                provision(home, name, reclaim="delete")
                home.wait(lambda name=name: home.is_ready(name), "provisioned")  # type: ignore[misc]
                proxy.count(name, number, controller.kill)
                assert home.send("DELETE", f"{TENANTS_PATH}/{name}") == 200
                home.wait(lambda gone=gone: proxy.is_dead or gone(), f"write {number}")  # type: ignore[misc]
                if not proxy.is_dead:
                    assert number > LEAVES
                    return
                proxy.revive()
                controller.start()
                home.wait(gone, f"killed after write {number}")
        finally:
            controller.kill()


def is_gone(home: Home, name: str) -> bool:
    """With the part of Kubernetes that empties namespaces."""
    home.finalize(name)
    paths = (f"/api/v1/namespaces/{name}", f"{TENANTS_PATH}/{name}")
    return not any(map(home.get, paths))


def ends_as(home: Home, name: str, expected: dict[str, Any]) -> bool:
    return home.is_ready(name) and read_end(home, name) == expected


def tell_end(home: Home, expected: dict[str, Any], name: str, number: int) -> str:
    return f"killed after write {number}: {tell(expected, read_end(home, name))}"


def tell(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What differs, as text."""
    names = sorted({*expected, *found})
    return [f"{name}: {found.get(name)}" for name in names if found.get(name) != expected.get(name)]
