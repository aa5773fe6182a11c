"""Owns what sidecars said of the snapshot that they run, for as long as that counts.

Each pod counts once, with what it said last. Must not grow with what is said: a namespace has a
limit, all of them have one. Must not keep who said it longer than that.
"""

import hashlib
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Final, NamedTuple

from webhook.controller.broker.pacing import Pace, choose_pace
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.reviews import Identity

MARK_CHARACTERS: Final = 6
_OF_A_NAMESPACE: Final = 10_000
_OF_ALL: Final = 100_000
_REVISION: Final = re.compile(r"v1-[0-9a-f]{32}")
_VERSION: Final = re.compile(r"[A-Za-z0-9.+_-]{1,64}")


class Report(NamedTuple):
    """Which snapshot, and which release of the sidecar."""

    revision: str
    version: str


class Known(NamedTuple):
    """What a pod said last."""

    pod: str
    pod_uid: str
    mark: str  # by which replicas tell pods apart
    report: Report
    at: float
    until: float  # it counts


def read_report(body: bytes) -> Report:
    """The report; RefusedError: it is none."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raw = None
    found = raw if isinstance(raw, dict) else {}
    revision, version = found.get("revision"), found.get("version")
    if not isinstance(revision, str) or _REVISION.fullmatch(revision) is None:
        raise RefusedError("body", "revision must be v1- and 32 hex digits")
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        raise RefusedError("body", "version must be 1 to 64 letters, digits and .+_-")
    return Report(revision, version)


class Reports:
    """All that this replica has heard. For one thread: the loop's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, dict[str, Known]] = {}
        self._turn: list[str] = []
        self.total = 0
        self.changes = 0

    def take(self, identity: Identity, report: Report) -> Pace:
        """One more; when the next is wanted."""
        namespace = self._known.setdefault(identity.namespace, {})
        before = namespace.pop(identity.pod_uid, None)
        if before is None and (len(namespace) >= _OF_A_NAMESPACE or self.total >= _OF_ALL):
            raise RefusedError("busy", "too many sidecars report: this one is not counted")
        self.total += before is None
        mark = before.mark if before else mark_pod(identity.pod_uid)
        pace, now = choose_pace(self.total), self._clock()
        until = now + pace.counts_s
        namespace[identity.pod_uid] = Known(
            identity.pod, identity.pod_uid, mark, report, now, until
        )
        self.changes += before is None or before.report != report
        return pace

    def forget(self, namespace: str, pod_uid: str) -> None:
        """The pod is gone."""
        if self._known.get(namespace, {}).pop(pod_uid, None) is not None:
            self.total -= 1
            self.changes += 1

    def drop_old(self) -> None:
        """Those that said nothing for long; the first of each namespace are the oldest."""
        now = self._clock()
        for namespace, known in list(self._known.items()):
            while known and (first := next(iter(known.values()))).until <= now:
                self.forget(namespace, first.pod_uid)
            if not known:
                del self._known[namespace]

    def list_all(self) -> list[tuple[str, Known]]:
        """Each with its namespace: a copy, which another thread may read."""
        return [
            (namespace, entry)
            for namespace, known in self._known.items()
            for entry in known.values()
        ]

    def list_next(self, most: int) -> list[tuple[str, Known]]:
        """Those of some namespaces, of others each time, until it begins anew."""
        if not self._turn:
            self._turn = list(self._known)
        chosen, self._turn = self._turn[:most], self._turn[most:]
        return [
            (namespace, entry)
            for namespace in chosen
            for entry in self._known.get(namespace, {}).values()
        ]


def mark_pod(uid: str) -> str:
    """Of 10,000 pods in one namespace two have the same in a thousandth of all cases."""
    return b64encode(hashlib.sha256(uid.encode()).digest())[:MARK_CHARACTERS].decode()
