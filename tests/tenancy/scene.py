"""Tenant A's sidecar, whose own account may do everything: only its policy stands between.

Owns the snapshot, the sidecar and the clusters behind it. Must not judge.
"""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tests.controlplane import ControlPlane
from tests.controlplane.audit_log import RawEvent
from tests.sidecar_process import SidecarProcess, cluster_of
from tests.tenancy.town import GROUP, OURS, furnish

LOG_PATIENCE_S = 10.0
ACCOUNT = "system:serviceaccount:mca-tests:sidecar"
EVERYTHING = {
    "name": "everything",
    "effect": "allow",
    "verbs": ["*"],
    "groups": ["*"],
    "resources": ["*"],
}
SEALED = {
    "name": "sealed",
    "effect": "deny",
    "verbs": ["create", "update", "patch", "delete", "deletecollection"],
    "groups": [""],
    "resources": ["configmaps"],
    "names": ["sealed-*"],
}
CLUSTER_RESOURCES: list[dict[str, Any]] = [
    {
        "name": "classes",
        "verbs": ["get", "list", "watch"],
        "groups": ["storage.k8s.io"],
        "resources": ["storageclasses"],
    },
    {
        "name": "shared-gadgets",
        "verbs": ["get"],
        "groups": [GROUP],
        "resources": ["gadgets"],
        "names": ["shared-*"],
    },
    {
        "name": "own-namespaces",
        "verbs": ["get"],
        "groups": [""],
        "resources": ["namespaces"],
        "names": list(OURS),
    },
]
TENANT: dict[str, Any] = {
    "name": "a",
    "mode": "enforce",
    "namespaces": list(OURS),
    "permissions": [EVERYTHING, SEALED],
    "clusterResources": CLUSTER_RESOURCES,
}
# The second namespace is served by the other cluster, where there is one.
DEV_ROUTE: dict[str, Any] = {
    "name": "dev",
    "priority": 1,
    "match": [{"groups": ["*"], "resources": ["*"], "namespaces": [OURS[1]]}],
    "to": {"members": [{"cluster": "west"}]},
}


class Scene:
    """`with Scene(home) as scene:` or `with Scene(home, west, routes=[DEV_ROUTE]) as scene:`."""

    def __init__(
        self,
        home: ControlPlane,
        west: ControlPlane | None = None,
        *,
        tenant: Mapping[str, Any] | None = TENANT,
        routes: Sequence[Mapping[str, Any]] = (),
        certificates: bool = False,
    ) -> None:
        self.home = home
        self.west = west
        self.tenant = tenant
        self._routes = list(routes)
        # Of a group that may do everything even when there are no cluster roles any more.
        self._certificates = certificates
        self.user = "mca" if certificates else ACCOUNT
        self.sidecar: SidecarProcess

    @property
    def planes(self) -> tuple[ControlPlane, ...]:
        """Each cluster, home first."""
        return (self.home,) if self.west is None else (self.home, self.west)

    def __enter__(self) -> Self:
        for plane in self.planes:
            furnish(plane)
        self.sidecar = self.make_sidecar(self.tenant, self._routes)
        try:
            self.sidecar.start()
        except BaseException:
            self.sidecar.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sidecar.__exit__(kind, error, trace)
        if error is None:
            assert self.sidecar.stderr() == ""

    def make_sidecar(
        self,
        tenant: Mapping[str, Any] | None,
        routes: Sequence[Mapping[str, Any]] = (),
        **options: Any,
    ) -> SidecarProcess:
        """A sidecar for the same clusters and other rules, not yet started."""
        return SidecarProcess(
            [cluster_of(plane, certificate=self._certificates) for plane in self.planes],
            namespace=OURS[0],
            rules={"tenant": tenant, "routes": list(routes)},
            **options,
        )

    def wait_for_event(self, ident: str) -> RawEvent:
        """The audit entry of a call, in whichever cluster's log it stands."""
        deadline = time.monotonic() + LOG_PATIENCE_S
        while time.monotonic() < deadline:
            found = [
                event
                for plane in self.planes
                for event in plane.audit.since(0)
                if event["auditID"] == ident
            ]
            if found:
                return found[-1]
            time.sleep(0.005)
        raise TimeoutError(f"{ident} reached no cluster")
