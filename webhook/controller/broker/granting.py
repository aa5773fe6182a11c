"""Owns the looks that a grant takes: everything is read now, then judged in one go.

Must not judge: grants.py does.
"""

import asyncio

from webhook.controller.broker.grants import (
    find_tenant_name,
    judge_boundary,
    judge_cluster,
    judge_holder,
    judge_pod,
)
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.reviews import Identity
from webhook.enforcement.injected import Trust
from webhook.resources.clusters import Cluster
from webhook.resources.tenants import Tenant


class Granting:
    """For one home."""

    def __init__(self, objects: HomeObjects, trust: Trust, system_namespace: str) -> None:
        self._objects = objects
        self._trust = trust
        self._system_namespace = system_namespace

    async def grant(self, identity: Identity, cluster: str) -> tuple[Tenant, Cluster]:
        """Whose credentials for which member; RefusedError: none."""
        namespace, pod, found = await asyncio.gather(
            self._objects.read_namespace(identity.namespace),
            self._objects.read_pod(identity.namespace, identity.pod),
            self._objects.read_cluster(cluster),
        )
        enforced = judge_boundary(namespace)
        judge_pod(pod, identity, self._trust)
        named = find_tenant_name(enforced)
        holder = await self._objects.read_tenant(named) if named else None
        tenant = judge_holder(enforced, holder, self._system_namespace)
        return tenant, judge_cluster(cluster, found, tenant)
