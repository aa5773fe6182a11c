"""Owns who leads: one Lease, which its holder renews, and which another replica takes when it ends.

Must not do what the leader does. A lost Lease is known here before anybody else may take it: time
counts from before the call that has renewed it. Clocks of two machines are never compared; another
holder's time begins when its record was seen to change.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sidecar.log import log_event
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.names import CONTROLLER

_CALL_S: Final = 4.0
_LOST: Final = (404, 409)
_NOT_FOUND: Final = 404


class Record(NamedTuple):
    """What a Lease says."""

    holder: str
    life_s: float
    renewed: str
    changes: int
    version: str


def read_record(lease: RawDocument) -> Record:
    """Of any shape: who writes nonsense holds nothing."""
    spec = lease.get("spec") or {}
    life, changes = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    return Record(
        str(spec.get("holderIdentity") or ""),
        float(life) if isinstance(life, int) else 0.0,
        str(spec.get("renewTime") or ""),
        changes if isinstance(changes, int) else 0,
        str((lease.get("metadata") or {}).get("resourceVersion") or ""),
    )


@dataclass(frozen=True, slots=True)
class Durations:
    """Of a lease's life: the holder gives up before it ends, and tries to renew it more often."""

    life_s: float

    @property
    def lead_s(self) -> float:
        """How long after a renewal began its holder may still write."""
        return self.life_s * 2 / 3

    @property
    def retry_s(self) -> float:
        """Between two attempts."""
        return self.life_s / 7.5


class Elector:
    """One replica's. `leads` may be asked from any thread, at every write."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        identity: str,
        durations: Durations,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._identity = identity
        self._durations = durations
        self._clock = clock
        self._until = 0.0  # may lead
        self._term = 0  # how often it was won
        self._known: Record | None = None  # what it wrote last
        self._seen: Record | None = None
        self._seen_at = 0.0
        self._ending = threading.Event()
        self._turn = threading.Lock()  # one call on the Lease at a time

    def leads(self) -> bool:
        """Whether this replica may write now."""
        return self._clock() < self._until

    def run(self, changed: Callable[[bool], None]) -> None:
        """Try for ever, until `release`; `changed` is told when this replica leads, or no more.

        A lead that has lapsed and is won again before anybody looked was lost all the same: what
        was not done meanwhile has to be done now.
        """
        led, told = 0, ""
        while not self._ending.is_set():
            problem = self._attempt()
            if problem != told:
                if problem:
                    log_event("warning", "lease_not_asked", problem=problem)
                told = problem
            leads = self._term if self.leads() else 0
            if led not in (leads, 0):
                log_event("info", "follows", identity=self._identity)
                changed(False)
            if leads not in (led, 0):
                log_event("info", "leads", identity=self._identity)
                changed(True)
            led = leads
            self._ending.wait(self._pause(leads=leads > 0))

    def release(self) -> None:
        """End, and let another replica lead at once."""
        self._ending.set()
        with self._turn:
            held, self._until = self.leads(), 0.0
            if held and self._known is not None:
                try:
                    self._write(self._known, holder="", life_s=1)
                    log_event("info", "lease_released")
                except KubeError as error:
                    log_event("warning", "lease_not_released", problem=str(error))

    def _pause(self, *, leads: bool) -> float:
        """Until the next attempt; who leads must hear in time that it does no more."""
        pause = self._durations.retry_s
        return min(pause, max(0.05, self._until - self._clock())) if leads else pause

    def _attempt(self) -> str:
        """Hold the Lease if possible; what was in the way."""
        with self._turn:
            if self._ending.is_set():
                return ""
            try:
                self._try()
            except KubeError as error:
                if error.status in _LOST:  # somebody was faster: look again
                    return ""
                return str(error)
            except Exception as error:  # noqa: BLE001 - without this thread nobody would ever lead
                return f"{type(error).__name__} while the Lease was asked for"
            return ""

    def _try(self) -> None:
        began = self._clock()
        record = self._known if self._known and self.leads() else self._read()
        self._known = None  # whatever fails: what it says is looked up again
        if self._seen is None or record != self._seen:
            self._seen, self._seen_at = record, self._clock()
        ends = self._seen_at + record.life_s
        if record.holder not in ("", self._identity) and self._clock() < ends:
            self._until = 0.0  # it is another's
            return
        written = self._write(record, self._identity, round(self._durations.life_s))
        self._known = self._seen = written
        self._seen_at = self._clock()
        if not self.leads():
            self._term += 1
        self._until = began + self._durations.lead_s

    def _read(self) -> Record:
        try:
            found = self._kube.request("GET", f"{self._path}/{CONTROLLER}", timeout_s=_CALL_S)
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
            return read_record({})
        return read_record(found.document)

    def _write(self, record: Record, holder: str, life_s: int) -> Record:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        mine = record.holder == holder
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, life_s),
            "renewTime": now,
            "leaseTransitions": record.changes + (0 if mine or not holder else 1),
        }
        if not mine:
            spec["acquireTime"] = now
        body: RawDocument = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": CONTROLLER, "namespace": self._namespace},
            "spec": spec,
        }
        if not record.version:
            return read_record(
                self._kube.request("POST", self._path, body, timeout_s=_CALL_S).document
            )
        body["metadata"]["resourceVersion"] = record.version
        written = self._kube.request("PUT", f"{self._path}/{CONTROLLER}", body, timeout_s=_CALL_S)
        return read_record(written.document)
