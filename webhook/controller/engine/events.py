"""Owns the Events by which people learn what the controller could not do, and what to do about it.

Must not hold up or fail the work that it tells of: what is told waits in a short queue, the same is
told once in a while only, and what does not fit is dropped. What flaps in one namespace drops
nothing of others. Must not be told secrets.
"""

import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from sidecar.log import log_event
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.names import CONTROLLER
from webhook.serving.rates import Rates

_AGAIN_S: Final = 600.0
_REMEMBERED: Final = 2000
_WAITING: Final = 200
# A burst, and what goes on, of a namespace and of all: API servers keep each Event for an hour.
_BURST, _PER_S = 20, 0.1
_BURST_OF_ALL, _PER_S_OF_ALL = 100, 5.0
_MAX_MESSAGE: Final = 1024  # the API server's own limit
_CALL_S: Final = 5.0
# Where Events of what has no namespace are looked for.
_NO_NAMESPACE: Final = "default"


class Regarding(NamedTuple):
    """The object that an Event is about."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""


class Told(NamedTuple):
    """What is to be said."""

    regarding: Regarding
    reason: str
    message: str
    warning: bool


class Recorder:
    """Takes what is told from any thread, and writes it from one of its own."""

    def __init__(
        self, kube: Kube, identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube = kube
        self._identity = identity
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Told] = deque()
        self._last: OrderedDict[Told, float] = OrderedDict()
        self._budgets = Rates(_PER_S, _BURST, clock=clock)
        self._budget_of_all = Rates(_PER_S_OF_ALL, _BURST_OF_ALL, clock=clock)

    def tell(
        self, regarding: Regarding, reason: str, message: str, *, warning: bool = False
    ) -> None:
        """Say this about an object, unless it was said a moment ago."""
        told = Told(regarding, reason, message[:_MAX_MESSAGE], warning)
        now = self._clock()
        with self._changed:
            last = self._last.pop(told, None)
            if last is not None and now < last + _AGAIN_S:
                self._last[told] = last
                return
            if len(self._waiting) >= _WAITING or not self._may_send(regarding):
                return  # it is said with the next attempt
            self._last[told] = now
            while len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
            self._waiting.append(told)
            self._changed.notify()

    def start(self) -> None:
        """Begin to write."""
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def _may_send(self, regarding: Regarding) -> bool:
        # What has no namespace is its own: Tenants have admins, but their owners make them flap.
        whose = regarding.namespace or f"{regarding.kind}/{regarding.name}"
        return not self._budgets.take(whose) and not self._budget_of_all.take("")

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                told = self._waiting.popleft()
            namespace = told.regarding.namespace or _NO_NAMESPACE
            try:
                self._kube.request(
                    "POST",
                    f"/api/v1/namespaces/{namespace}/events",
                    render_event(told, namespace, self._identity, time.time_ns()),
                    timeout_s=_CALL_S,
                )
            except KubeError as error:
                log_event("debug", "event_lost", reason=told.reason, problem=str(error))
            except Exception as error:  # noqa: BLE001 - the next Event may be fine
                log_event("error", "event_lost", reason=told.reason, problem=type(error).__name__)


def render_event(told: Told, namespace: str, identity: str, time_ns: int) -> RawDocument:
    """The object; its name is made of what it says and when."""
    regarding = told.regarding
    where = {"namespace": regarding.namespace} if regarding.namespace else {}
    seconds = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_ns // 10**9))
    mark = hashlib.sha256(f"{told} {identity} {time_ns}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{regarding.name[:200].rstrip('-.')}.{mark}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "name": regarding.name,
            "uid": regarding.uid,
            **where,
        },
        "reason": told.reason,
        "message": told.message,
        "type": "Warning" if told.warning else "Normal",
        "count": 1,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "reportingComponent": CONTROLLER,
        "reportingInstance": identity,
        "source": {"component": CONTROLLER},
    }
