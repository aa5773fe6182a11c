"""A scene under attack: sends the attempts, and has the audit logs of all clusters judge each.

Owns the order of things: an attempt, its answer, its entries in the logs. Must not make attempts.
"""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator

from tests.controlplane import ControlPlane
from tests.controlplane.audit_log import RawEvent
from tests.tenancy.attempts import fill
from tests.tenancy.judge import Bounds, find_breaches, leaks
from tests.tenancy.scene import CLUSTER_RESOURCES, SEALED, Scene
from tests.tenancy.town import (
    CONFIGMAPS,
    GADGETS,
    OURS,
    PODS,
    SECRETS,
    THEIRS,
    WIDGETS,
    object_of,
    scopes_of,
    state_of_others,
)
from tests.tenancy.wire import Sent, Wire

JSON = "application/json"
RESTORED_EVERY = 20
LOG_PATIENCE_S = 10.0


class Campaign:
    """A scene under attack, and what came of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.before = {plane: state_of_others(plane) for plane in scene.planes}
        self.bounds = {
            plane: Bounds(scene.user, OURS, CLUSTER_RESOURCES, [SEALED], scopes_of(plane))
            for plane in scene.planes
        }
        self.facts = facts_of(scene.home)
        self.tries = 0
        self.codes = Counter[int]()
        self.rules = Counter[str]()
        self.reached = Counter[str]()
        self._objects_on = Counter[ControlPlane]()
        sidecar = scene.sidecar
        self._wire = Wire(sidecar.port, sidecar.ca_pem, sidecar.token())
        served_by = (scene.planes[0], scene.planes[-1])
        self._admins = [
            Wire(plane.port, plane.ca_pem, plane.tokens["admin"]) for plane in served_by
        ]
        self._marks = {plane: plane.audit.mark() for plane in scene.planes}

    def close(self) -> None:
        for wire in (self._wire, *self._admins):
            wire.close()

    def reached_on(self, plane: ControlPlane) -> int:
        """How many attempts reached objects of this cluster."""
        return self._objects_on[plane]

    def run(self, sent: Sent) -> list[str]:
        """Try it; all that should not have been possible."""
        if self.tries % RESTORED_EVERY == 0:
            self._restore()
        self.tries += 1
        answer = self._wire.ask(fill(sent, self.facts))
        self.codes[answer.status] += 1
        self.rules[answer.rule or "(forwarded)"] += 1
        found = self._judge({answer.ident} if answer.forwarded else set())
        if leaks(answer.content):
            found.append("told a secret of the other tenant")
        return found

    def changes(self) -> list[str]:
        """Which of the objects that are not tenant A's are not as they were."""
        found = []
        for plane, before in self.before.items():
            after = state_of_others(plane)
            for path in before.keys() | after.keys():
                if before.get(path) != after.get(path):
                    found += [f"{path}: {before.get(path)} became {after.get(path)}"]
        return found

    def _restore(self) -> None:
        """What the attempts before may have deleted is there again."""
        for admin, namespace in zip(self._admins, OURS, strict=True):
            for kind in (PODS, CONFIGMAPS, SECRETS, WIDGETS):
                body = json.dumps(object_of(kind, "web-0")).encode()
                made = Sent("POST", kind.path(namespace), (("Content-Type", JSON),), body)
                # 403 and 404: the namespace or the kind is gone, where nothing stood between.
                assert admin.ask(made).status in (201, 403, 404, 409)

    def _judge(self, forwarded: set[str]) -> list[str]:
        """All that has been logged since the last time, once it holds what was forwarded."""
        found: list[str] = []
        deadline = time.monotonic() + LOG_PATIENCE_S
        missing = set(forwarded)
        while True:
            for plane, events in self._new_events():
                missing -= {event["auditID"] for event in events}
                found += find_breaches(events, self.bounds[plane])
                self._count(plane, events)
            if not missing:
                return found
            if time.monotonic() > deadline:
                return [*found, f"answered by no API server: {missing}"]
            time.sleep(0.001)

    def _new_events(self) -> Iterator[tuple[ControlPlane, list[RawEvent]]]:
        for plane in self.scene.planes:
            events = plane.audit.since(self._marks[plane])
            self._marks[plane] += len(events)
            yield plane, events

    def _count(self, plane: ControlPlane, events: list[RawEvent]) -> None:
        for event in events:
            if event["user"]["username"] == self.scene.user and "objectRef" in event:
                self.reached[event["verb"]] += 1
                self._objects_on[plane] += 1


def facts_of(plane: ControlPlane) -> dict[str, str]:
    """What stands for the words in braces of an attempt."""
    theirs = plane.request("GET", PODS.path(THEIRS, "theirs")).json()["metadata"]
    crafted = {"v": "meta.k8s.io/v1", "rv": -1, "start": f"../{THEIRS}/a\u0000"}

    def token(path: str) -> str:
        return str(plane.request("GET", f"{path}?limit=1").json()["metadata"]["continue"])

    return {
        "uid-theirs": theirs["uid"],
        "version": theirs["resourceVersion"],
        "continue-theirs": token(PODS.path(THEIRS)),
        "continue-all": token(CONFIGMAPS.path()),
        "continue-gadgets": token(GADGETS.path()),
        "continue-crafted": base64.urlsafe_b64encode(json.dumps(crafted).encode()).decode(),
    }
