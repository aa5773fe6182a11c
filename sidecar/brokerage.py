"""Owns the way to the broker: the connection to it, the questions that are put to it.

Must not keep what comes back. The broker is called as any member is, by a token of its own; it is
never marked as down, for nobody but us calls it, and not often.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sidecar.inquiry import Inquiry, question
from sidecar.member import Member
from sidecar.pinning import plain_server
from sidecar.policy.snapshot import Cluster, TokenFile
from sidecar.policy.verdict import Denial, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.config import Settings
    from sidecar.inquiry import Told
    from sidecar.metrics import Metrics
    from sidecar.policy.snapshot_broker import Broker
    from sidecar.reactor import Reactor

_MAX_ANSWER: Final = 256 * 1024
_NAME: Final = "mca-broker"
_UNKNOWN: Final = Denial(
    Reason.SERVICE_UNAVAILABLE, "upstream/unreachable", "the snapshot names no broker"
)


class Brokerage:
    """Calls the broker."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        reactor: Reactor,
        next_ident: Callable[[], bytes],
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._reactor = reactor
        self._next_ident = next_ident
        self._member: Member | None = None
        self._leaving: list[Member] = []

    @property
    def known(self) -> bool:
        return self._member is not None

    def adopt(self, broker: Broker | None) -> None:
        """Call this one from now on; never one that is elsewhere than the pod's setting says."""
        own = self._settings.broker
        if broker is None or not own or plain_server(broker.server) != plain_server(own):
            self._replace(None)
            return
        cluster = Cluster(
            _NAME, broker.server, broker.host, broker.port, broker.ca_bundle, None, None,
            TokenFile(self._settings.broker_token),
        )  # fmt: skip
        if self._member is None or not self._member.is_at(cluster):
            member = Member(cluster, self._settings.limits, self._metrics, self._reactor)
            member.health.stop()
            self._replace(member)

    def _replace(self, member: Member | None) -> None:
        if self._member is not None:
            self._member.retire()
            self._leaving.append(self._member)
        self._member = member

    def ask_credential(self, cluster: str, then: Callable[[Told | Denial], None]) -> None:
        """Ask for a cluster's credential."""
        self._post(f"/v1/credentials/{cluster}", {}, then)

    def report(self, revision: str, version: str, then: Callable[[Told | Denial], None]) -> None:
        """Say which snapshot is in use here."""
        self._post("/v1/reports", {"revision": revision, "version": version}, then)

    def _post(
        self, path: str, document: dict[str, str], then: Callable[[Told | Denial], None]
    ) -> None:
        if self._member is None:
            then(_UNKNOWN)
            return
        body = json.dumps(document).encode()
        asked = question(
            path,
            b"Accept: application/json",
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(body),
            method="POST",
        )._replace(body=body)
        inquiry = Inquiry(self._reactor.loop, then, limit=_MAX_ANSWER)
        inquiry.send_to(self._member, asked, self._next_ident())

    def poll(self, now: float) -> None:
        """Look for a newer token."""
        if self._member is not None:
            self._member.poll(now)

    def sweep(self, now: float) -> None:
        """Look at the deadlines of connections."""
        for member in (*self._leaving, *filter(None, (self._member,))):
            member.sweep(now)
        self._leaving = [member for member in self._leaving if member.connections]

    def close_down(self) -> None:
        """The process ends."""
        for member in (*self._leaving, *filter(None, (self._member,))):
            member.close_down()
