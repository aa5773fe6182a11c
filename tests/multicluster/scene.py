"""Two control planes, home and west, that one sidecar serves; and what a test asks of them.

Owns their namespaces and the rules that most tests share. Must not start sidecars that outlive it.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tests.controlplane import ControlPlane
from tests.raw_client import RawClient, render_request
from tests.sidecar_process import Cluster, SidecarProcess, cluster_of

NAMESPACES = ("team-a", "team-b", "west-only")
CORE = "/api/v1/namespaces/{}"
RawObject = dict[str, Any]


class Planes:
    """Both planes, and the clusters that a snapshot makes of them."""

    def __init__(self, home: ControlPlane, west: ControlPlane) -> None:
        self.home = home
        self.west = west
        self.clusters: tuple[Cluster, Cluster] = (cluster_of(home), cluster_of(west))
        for plane in (home, west):
            for namespace in NAMESPACES:
                plane.create_namespace(namespace)

    def planes(self) -> dict[str, ControlPlane]:
        return {"home": self.home, "west": self.west}

    def served_by(self, ident: str | None) -> str:
        """Whose audit log has this decision's id: exactly one's."""
        assert ident, "the answer names no decision"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [
                name
                for name, plane in self.planes().items()
                if any(event["auditID"] == ident for event in plane.audit.since(0))
            ]
            if found:
                assert len(found) == 1, f"{ident} reached {found}"
                return found[0]
            time.sleep(0.02)
        raise TimeoutError(f"{ident} reached nobody")


def tenant(**changes: Any) -> RawObject:
    """A tenant that may do all in its namespaces."""
    document: RawObject = {
        "name": "acme",
        "mode": "enforce",
        "namespaces": list(NAMESPACES),
        "permissions": [
            {
                "name": "all", "effect": "allow", "verbs": ["*"], "groups": ["*"],
                "resources": ["*"],
            }
        ],
        "clusterResources": [],
    }  # fmt: skip
    return document | changes


def route(name: str, *matches: Mapping[str, Any], to: str = "west", **more: Any) -> RawObject:
    """A route to one member; `standIns` and `priority` may be among `more`."""
    priority = more.pop("priority", 100)
    return {
        "name": name,
        "priority": priority,
        "match": [{"groups": [""], "resources": ["*"], **match} for match in matches],
        "to": {"members": [{"cluster": to, "weight": 1}], **more},
    }


def wait_for(met: Callable[[], object], timeout_s: float = 15.0) -> None:
    """Until it is so."""
    deadline = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def configmap(name: str, **data: str) -> RawObject:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data,
    }  # fmt: skip


class Watch:
    """One open watch, read event by event."""

    def __init__(self, sidecar: SidecarProcess, target: str, *, container: str = "app") -> None:
        self.client = RawClient(sidecar, timeout_s=20)
        token = sidecar.token(container)
        self.client.send(render_request(sidecar, "GET", target, token=token))
        self.head = self.client.read_head()
        self._line = b""
        self._events: list[RawObject] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.sock.close()

    def next(self) -> RawObject:
        """The next event; EOFError at the end."""
        while not self._events:
            self._read()
        return self._events.pop(0)

    def _read(self) -> None:
        size = int(self.client.read_until(b"\r\n"), 16)
        data = self.client.read_exactly(size)
        self.client.read_exactly(2)
        if not size:
            raise EOFError("the watch has ended in good order")
        *whole, self._line = (self._line + data).split(b"\n")
        self._events += [json.loads(line) for line in whole]

    def until_end(self) -> list[RawObject]:
        """All events up to the end."""
        found = []
        try:
            while True:
                found.append(self.next())
        except EOFError:
            return found

    def is_open(self) -> bool:
        """Whether it is open and silent."""
        return self.client.is_open()


def names(listed: RawObject) -> list[str]:
    return sorted(item["metadata"]["name"] for item in listed["items"])


def snapshots(sidecar: SidecarProcess) -> int:
    """How many snapshots it has loaded."""
    return len(sidecar.events("snapshot_loaded"))


def reload(sidecar: SidecarProcess, clusters: Sequence[Cluster], **rules: Any) -> None:
    """Put a new snapshot in place and wait until it counts."""
    before = snapshots(sidecar)
    sidecar.write_snapshot(sidecar.render_snapshot(*clusters, **rules))
    wait_for(lambda: snapshots(sidecar) > before or sidecar.events("snapshot_refused"))
    assert not sidecar.events("snapshot_refused"), sidecar.output()
