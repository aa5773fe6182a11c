"""Owns what a sidecar has of the controller: its snapshot's watch, the broker, the reports to it.

Must not adopt a snapshot: sidecar.adoption does. It is imported only where MCA_MEMBERS is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.member import Member
from sidecar.policy.snapshot import HOME, Brokered

if TYPE_CHECKING:
    from sidecar.brokerage import Brokerage
    from sidecar.credentials import FileCredential
    from sidecar.policy.snapshot import Cluster, Snapshot
    from sidecar.reports import Reports
    from sidecar.server import Server
    from sidecar.snapshot_watch import SnapshotWatch

_START_S: Final = 0.3  # so that the pods of one burst do not all ask at once


class Controlled:
    """The parts that are there, by the settings."""

    def __init__(self, server: Server, home: Cluster) -> None:
        self._server = server
        settings = server.settings
        self.home = Member(
            home, server.limits, server.metrics, server.reactor, len(settings.containers)
        )
        self._watch: SnapshotWatch | None = None
        self._brokerage: Brokerage | None = None
        self._reports: Reports | None = None

    def begin(self) -> None:
        """Follow the snapshot; at once where there is none."""
        server = self._server
        settings, precedence = server.settings, server.source.precedence
        if precedence is None:
            return
        from sidecar.snapshot_watch import SnapshotWatch, fraction

        watch = self._watch = SnapshotWatch(
            server.loop,
            settings.namespace,
            settings.snapshot_watch,
            precedence,
            lambda: server.adoption.members[HOME],
            server.gate.next_ident,
        )
        origin = f"ConfigMap {settings.namespace}/{settings.snapshot_watch}"
        watch.found = lambda content: server.adoption.offer(content, origin)
        watch.empty = lambda problem: server.source.refuse(f"{origin}: {problem}")
        watch.start(_START_S * fraction() if server.source.snapshot is not None else 0.0)

    def adopt(self, snapshot: Snapshot) -> None:
        """Its broker is the one from now on: before its clusters' credentials are asked for."""
        if snapshot.broker is not None and self._brokerage is None:
            from sidecar.brokerage import Brokerage
            from sidecar.reports import Reports

            server = self._server
            self._brokerage = Brokerage(
                server.settings, server.metrics, server.reactor, server.gate.next_ident
            )
            self._reports = Reports(self._brokerage.report)
        if self._brokerage is not None:
            self._brokerage.adopt(snapshot.broker)

    def open_credential(self, cluster: Cluster) -> FileCredential | None:
        """A cluster's credential, if the broker has it."""
        if self._brokerage is None or not isinstance(cluster.credentials, Brokered):
            return None
        from sidecar.broker_credential import BrokerCredential

        loop = self._server.loop
        credential = BrokerCredential(loop, cluster, self._brokerage.ask_credential)
        loop.call_soon(credential.poll)
        return credential

    def poll(self, now: float) -> None:
        """Files, and what is due."""
        if self._brokerage is not None and self._reports is not None:
            self._brokerage.poll(now)
            snapshot = self._server.source.snapshot
            if snapshot is not None and self._brokerage.known:
                self._reports.adopt(snapshot.revision, now)
                self._reports.poll(now)

    def sweep(self, now: float) -> None:
        """Look at the deadlines of connections."""
        if self._brokerage is not None:
            self._brokerage.sweep(now)

    def close_down(self) -> None:
        """The process ends."""
        if self._watch is not None:
            self._watch.stop()
        if self._brokerage is not None:
            self._brokerage.close_down()
