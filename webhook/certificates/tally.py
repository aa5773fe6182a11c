"""Owns the metrics of certificates, in the registry that it is given.

Must not take a label from what was read: each comes from a closed set.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge


class CertificateTally:
    """When certificates end, and what was done for them."""

    def __init__(self, registry: CollectorRegistry, component: str = "webhook") -> None:
        self._ends = Gauge(
            f"mca_{component}_certificate_expiry_timestamp_seconds",
            "When it ends, in Unix time: the serving certificate, the newest CA",
            ("certificate",),
            registry=registry,
        )
        self._repairs = Counter(
            f"mca_{component}_bundle_repairs",
            "How often this replica wrote the caBundle",
            registry=registry,
        )
        self._failures = Counter(
            f"mca_{component}_certificate_failures",
            "How often certificates could not be looked after",
            registry=registry,
        )

    def tell_serving(self, ends: float) -> None:
        """Another certificate is in use."""
        self._ends.labels("serving").set(ends)

    def tell_authority(self, ends: float) -> None:
        """The newest CA that is known."""
        self._ends.labels("authority").set(ends)

    def count(self, *, repair: bool) -> None:
        """A caBundle was written, or something has failed."""
        (self._repairs if repair else self._failures).inc()
