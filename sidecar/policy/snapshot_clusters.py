"""Owns the members of a snapshot: where each is, how it proves itself, what we prove to it."""

from __future__ import annotations

from typing import NamedTuple


class TokenFile(NamedTuple):
    """A bearer token, read from a file."""

    path: str


class CertFiles(NamedTuple):
    """A client certificate and its key, read from files."""

    cert_path: str
    key_path: str


class HealthCheck(NamedTuple):
    """How a member is asked for its health, beside what its answers to calls tell."""

    path: str = "/readyz"
    interval_s: float = 10
    timeout_s: float = 2
    failure_threshold: int = 3


class ClusterLimits(NamedTuple):
    """What one pod may hold open to a member; 0 is "as much as it takes"."""

    max_connections: int = 0
    max_streams: int = 0


class Cluster(NamedTuple):
    """A member.

    Where it is, how it proves itself (exactly one of ca_bundle and ca_file), what we prove to it.
    Without a health check only the signals of its traffic count.
    """

    name: str
    server: str
    host: str
    port: int
    ca_bundle: bytes | None
    ca_file: str | None
    tls_server_name: str | None
    credentials: TokenFile | CertFiles
    labels: tuple[tuple[str, str], ...] = ()
    health: HealthCheck | None = None
    limits: ClusterLimits = ClusterLimits()
