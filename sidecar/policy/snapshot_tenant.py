"""Owns the tenant of a snapshot: its namespaces, its permissions, its limits."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

ANY: Final = "*"
_ALL: Final = (ANY,)


class Permission(NamedTuple):
    """One rule of what a tenant's callers may do.

    Every selector is a list, of which one entry must match. Either on resources, or on
    `non_resource_paths` and verbs.
    """

    name: str
    effect: Literal["allow", "deny"]
    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = _ALL
    names: tuple[str, ...] = _ALL
    containers: tuple[str, ...] = _ALL
    service_accounts: tuple[str, ...] = _ALL
    non_resource_paths: tuple[str, ...] = ()


class ClusterResource(NamedTuple):
    """Objects without a namespace that a tenant may reach."""

    name: str
    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = _ALL


class Rate(NamedTuple):
    """How often each caller may make such calls: a bucket of `burst`, filled `per_second`."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    per_second: float
    burst: int


class TenantLimits(NamedTuple):
    """For each caller; 0 is "without limit"."""

    concurrent_requests: int = 0
    watches: int = 0
    rates: tuple[Rate, ...] = ()


class Tenant(NamedTuple):
    """A set of namespaces, and what may be done in them."""

    name: str
    mode: Literal["enforce", "audit"]
    namespaces: tuple[str, ...]
    permissions: tuple[Permission, ...]
    cluster_resources: tuple[ClusterResource, ...] = ()
    limits: TenantLimits | None = None
