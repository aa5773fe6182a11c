"""Owns the metrics of reviews, in a registry that is the webhook's own.

Must not take a label from a pod: each comes from a closed set.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest


class Tally:
    """Counts reviews by what became of them; others may put theirs into `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._reviews = Counter(
            "mca_admission_reviews",
            "Reviews answered, by the kind of namespace, result and code",
            ("mode", "result", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "mca_admission_review_seconds",
            "Time that a review took, from its last byte on",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
            registry=self.registry,
        )

        self._refused = Counter(
            "mca_admission_connections_refused",
            "Connections closed at once, because there were too many, of their peer or of all",
            registry=self.registry,
        )

    def refuse_connection(self) -> None:
        """One was closed at once."""
        self._refused.inc()

    def count(self, mode: str, result: str, code: str, seconds: float) -> None:
        """One review was answered."""
        self._reviews.labels(mode, result, code).inc()
        self._seconds.observe(seconds)

    def render(self) -> bytes:
        """In Prometheus text."""
        return generate_latest(self.registry)
