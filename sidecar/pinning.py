"""Owns holding a snapshot against the pod that it came to: what it may make this pod do. Pure.

A snapshot is an object that could be forged: it must not have a pod's tokens sent to a server that
the pod was not made for. So home is always the pod's own, a token goes only to the server that it
was mounted for, no other file is read, and the broker's address is the pod's own setting. What does
not fit bars its one cluster and says what to do. It is imported only where MCA_MEMBERS is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.digest import sha256
from sidecar.policy.snapshot_clusters import Brokered, TokenFile, Withheld
from sidecar.policy.verdict import HOME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecar.pins import Pin
    from sidecar.policy.snapshot import Cluster, Snapshot
    from sidecar.policy.snapshot_broker import Broker

# Where calls go whose Route names a cluster that cannot be used.
CLOSED: Final = "mca-closed"
_RESTART: Final = "restart the pod"


def pin(
    snapshot: Snapshot,
    home: Cluster,
    pins: Mapping[str, Pin],
    broker: str,
    tokens: str,
) -> Snapshot:
    """The snapshot as this pod may use it; `home` is the pod's own, `broker` its own address."""

    def fit(cluster: Cluster) -> Cluster:
        if cluster.name == HOME:
            return home._replace(
                labels=cluster.labels, health=cluster.health, limits=cluster.limits
            )
        problem = _find_problem(cluster, pins.get(cluster.name), snapshot.broker, broker, tokens)
        if not problem:
            return cluster
        return cluster._replace(
            ca_bundle=b"", ca_file=None, health=None, credentials=Withheld(problem)
        )

    return snapshot._replace(clusters=tuple(map(fit, snapshot.clusters)))


def _find_problem(
    cluster: Cluster, pinned: Pin | None, offered: Broker | None, broker: str, tokens: str
) -> str:
    if cluster.name == CLOSED:
        return (
            "the Route that takes this call names a cluster that cannot be used; "
            "`kubectl get routes.mca.io` tells why"
        )
    if cluster.ca_bundle is None:
        return "its CA is to be read from a file, which no snapshot of a pod may ask for"
    if isinstance(cluster.credentials, Brokered):
        return _judge_broker(offered, broker)
    if not isinstance(cluster.credentials, TokenFile):
        return "its credential is a certificate in files, which no snapshot of a pod may ask for"
    if cluster.credentials.path != f"{tokens}/{cluster.name}/token":
        return f"its token is to be read from elsewhere than {tokens}/{cluster.name}/token"
    if pinned is None:
        return f"it was registered after this pod was made, which has no token for it; {_RESTART}"
    if not is_at(cluster, pinned.server, pinned.ca, pinned.tls_server_name):
        return (
            "its server or CA was changed after this pod was made, and the pod's token goes "
            f"nowhere else than it was made for; {_RESTART}"
        )
    return ""


def _judge_broker(offered: Broker | None, broker: str) -> str:
    if not broker:
        return f"its credentials come from the broker, which this pod does not know; {_RESTART}"
    if offered is None or plain_server(offered.server) != plain_server(broker):
        return f"the broker is elsewhere than when this pod was made; {_RESTART}"
    return ""


def is_at(cluster: Cluster, server: str, ca: str, tls_server_name: str | None) -> bool:
    """Is the cluster there, with that CA and name?"""
    return (
        plain_server(cluster.server) == plain_server(server)
        and sha256(cluster.ca_bundle or b"").hexdigest() == ca
        and (cluster.tls_server_name or None) == (tls_server_name or None)
    )


def plain_server(server: str) -> str:
    """A server's address in the form in which two are compared."""
    return server.lower().removesuffix(":443")
