"""Owns the metrics of the engine, in the registry that it is given.

Must not take a label from an object: each comes from a closed set.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class EngineTally:
    """Queues, work, watches, the Lease."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._depth = Gauge(
            "mca_controller_queue_depth",
            "Keys that wait for a worker",
            ("part",),
            registry=registry,
        )
        self._waited = Histogram(
            "mca_controller_queue_seconds",
            "How long keys wait for a worker",
            ("part",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._worked = Histogram(
            "mca_controller_reconcile_seconds",
            "How long the work on a key takes",
            ("part",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._failed = Counter(
            "mca_controller_reconcile_errors",
            "Work that has to be done again: conflict, refused, unanswered, busy, leader, fault",
            ("part", "reason"),
            registry=registry,
        )
        self._leads = Gauge(
            "mca_controller_leads", "Whether this replica holds the Lease", registry=registry
        )
        self._objects = Gauge(
            "mca_controller_objects",
            "Objects that are remembered",
            ("resource",),
            registry=registry,
        )
        self._lists = Counter(
            "mca_controller_lists", "Lists that were read", ("resource",), registry=registry
        )
        self._events = Counter(
            "mca_controller_watch_events", "Events of watches", ("resource",), registry=registry
        )
        self._breaks = Counter(
            "mca_controller_watch_failures",
            "Lists and watches that have failed",
            ("resource",),
            registry=registry,
        )

    def measure_depth(self, part: str, measure: Callable[[], int]) -> None:
        """How deep its queue is will be asked when somebody wants to know."""
        self._depth.labels(part).set_function(measure)

    def count_work(self, part: str, waited_s: float, worked_s: float) -> None:
        """A key was worked on."""
        self._waited.labels(part).observe(waited_s)
        self._worked.labels(part).observe(worked_s)

    def count_error(self, part: str, reason: str) -> None:
        """It is to be done again."""
        self._failed.labels(part, reason).inc()

    def tell_leads(self, *, leads: bool) -> None:
        """The Lease was won or lost."""
        self._leads.set(leads)

    def count_list(self, resource: str, objects: int) -> None:
        """A list is in."""
        self._lists.labels(resource).inc()
        self._objects.labels(resource).set(objects)

    def count_events(self, resource: str, objects: int) -> None:
        """An event was taken; so many objects there are now."""
        self._events.labels(resource).inc()
        self._objects.labels(resource).set(objects)

    def count_failure(self, resource: str) -> None:
        """A list or a watch has failed."""
        self._breaks.labels(resource).inc()
