"""Owns the gauges: what of a running server is read at the moment when it is scraped.

Must not keep anything: counters are in sidecar.metrics.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sidecar import log
from sidecar.metrics import by_cluster

if TYPE_CHECKING:
    from sidecar.server import Server


def add_gauges(server: Server) -> None:
    """Tell the metrics where to read."""
    source = server.source
    gauge = server.metrics.gauge
    gauge("mca_upstream_connections", "Connections to clusters.",
          lambda: _count_upstream(server))  # fmt: skip
    gauge("mca_cluster_health_status", "1 while a cluster can be called, 0 while it cannot.",
          lambda: _tell_health(server))  # fmt: skip
    gauge("mca_downstream_connections", "Connections of applications.",
          lambda: {"": len(server.clients)})  # fmt: skip
    gauge("mca_streams", "Watches, logs and tunnels under way.",
          lambda: _count_streams(server))  # fmt: skip
    gauge("mca_snapshot_age_seconds", "Time since the snapshot was loaded.",
          lambda: {"": time.time() - source.loaded_at} if source.snapshot else {})  # fmt: skip
    gauge("mca_snapshot_info", "The snapshot in use.",
          lambda: {f'revision="{_label(source.snapshot.revision)}"': 1}
          if source.snapshot else {})  # fmt: skip
    gauge("mca_log_lines_dropped_total", "Lines of the log that nobody took.",
          lambda: {"": log.stdout.dropped_lines}, kind="counter")  # fmt: skip
    gauge("mca_memory_ratio", "Memory in use, of the cgroup's limit.",
          lambda: {"": round(server.pressure.measure(), 4)})  # fmt: skip


def _count_upstream(server: Server) -> dict[str, float]:
    counts = {name: len(member.connections) for name, member in server.adoption.members.items()}
    return by_cluster(counts, sum)


def _tell_health(server: Server) -> dict[str, float]:
    return by_cluster(
        {name: member.available for name, member in server.adoption.members.items()}, min
    )


def _count_streams(server: Server) -> dict[str, float]:
    running = (client.exchange for client in server.clients)
    return {"": sum(1 for exchange in running if exchange and exchange.decided.streams)}


def _label(text: str) -> str:
    return "".join(char if char.isalnum() or char in "-._:" else "_" for char in text)[:64]
