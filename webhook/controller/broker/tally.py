"""Owns what the broker counts and logs of its answers, in the registry that it is given.

Must not take a label from what was asked: each comes from a closed set. Must not log more than a
few lines about one and the same: anybody can be refused as often as he likes.
"""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from sidecar.log import log_event
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.reviews import Identity

_QUIET_S: Final = 30.0
_MOST_TOLD: Final = 1000


class BrokerTally:
    """One replica's."""

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str, str], float] = {}
        self._answers = Counter(
            "mca_broker_answers",
            "Calls answered, by what was asked for and the rule that refused it (ok: none)",
            ("page", "rule"),
            registry=registry,
        )
        self._seconds = Histogram(
            "mca_broker_answer_seconds",
            "Time from a call's head to its answer",
            ("page",),
            buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )

    def count(self, page: str, rule: str, seconds: float) -> None:
        """One call was answered."""
        self._answers.labels(page, rule).inc()
        self._seconds.labels(page).observe(seconds)

    def tell_issued(self, identity: Identity, cluster: str, form: str, seconds: int) -> None:
        """Somebody can now log in somewhere: always told."""
        log_event(
            "info",
            "credential_issued",
            **identity._asdict(),
            cluster=cluster,
            form=form,
            seconds=seconds,
        )

    def tell_refused(self, page: str, error: RefusedError, namespace: str) -> None:
        """The first of a kind, and then one each half minute."""
        now = self._clock()
        kind = (page, error.rule, namespace)
        if self._told.get(kind, 0.0) > now:
            return
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told[kind] = now + _QUIET_S
        log_event(
            "warning",
            "broker_refused",
            page=page,
            rule=error.rule,
            namespace=namespace,
            message=error.message,
            told=error.told,
        )
