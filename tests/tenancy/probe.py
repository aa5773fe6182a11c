"""One call at a time through a sidecar, and what of it the clusters saw.

Owns the proof that a refused call reached nobody: by the audit logs, up to a canary sent after it.
"""

import http.client
from collections.abc import Mapping
from typing import Any

from tests.controlplane.audit_log import RawEvent
from tests.controlplane.calls import Answer
from tests.sidecar_process import SidecarProcess
from tests.tenancy.judge import is_discovery
from tests.tenancy.scene import Scene
from tests.tenancy.town import OURS, PODS

CANARY = "canary"


class Probe:
    """Calls of one container of a sidecar of the scene."""

    def __init__(
        self, scene: Scene, sidecar: SidecarProcess | None = None, container: str = "app"
    ) -> None:
        self.scene = scene
        self.sidecar = sidecar or scene.sidecar
        self._token = self.sidecar.token(container)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.sidecar.request(method, path, body, token=self._token, headers=headers)

    def refuse(
        self,
        method: str,
        path: str,
        rule: str,
        body: Any = None,
        *,
        status: int = http.client.FORBIDDEN,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """It is answered by the sidecar, by this rule, and no cluster saw it; the message."""
        marks = [(plane, plane.audit.mark()) for plane in self.scene.planes]
        answer = self.ask(method, path, body, headers)
        assert answer.headers["Mca-Decision"] == rule, (answer.status, answer.body)
        assert answer.status == status
        told = answer.json()
        assert (told["kind"], told["status"], told["code"]) == ("Status", "Failure", status)
        canaries = self._send_canaries()
        for plane, mark in marks:
            seen = [event for event in plane.audit.since(mark) if self._is_a_call(event)]
            assert {event["auditID"] for event in seen} <= canaries, seen
        return str(told["message"])

    def forward(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = http.client.OK,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Answer, RawEvent]:
        """A cluster answers it with this status; the answer, and the cluster's audit entry."""
        answer = self.ask(method, path, body, headers)
        assert "Mca-Decision" not in answer.headers, answer.body
        assert answer.status == status, answer.body
        return answer, self.scene.wait_for_event(answer.headers["Audit-Id"])

    def _is_a_call(self, event: RawEvent) -> bool:
        """One of the sidecar's account, which is not the sidecar's own asking for kinds."""
        return event["user"]["username"] == self.scene.user and not is_discovery(event)

    def _send_canaries(self) -> set[str]:
        """After what was sent before, on the way of each cluster."""
        idents = set()
        for namespace in OURS:
            answer = self.scene.sidecar.request("GET", PODS.path(namespace, CANARY))
            assert answer.status == http.client.NOT_FOUND
            idents.add(answer.headers["Audit-Id"])
            self.scene.wait_for_event(answer.headers["Audit-Id"])
        return idents


def is_canary(event: RawEvent) -> bool:
    """One of the calls that are sent to see that nothing came before them."""
    return bool(event.get("objectRef", {}).get("name") == CANARY)
