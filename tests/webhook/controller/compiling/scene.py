"""A namespace of a tenant with clusters, for tests to change."""

import json
from typing import Any

from sidecar.policy.snapshot import Snapshot, parse_snapshot
from tests.webhook.resources.objects import (
    CA,
    make_cluster,
    make_namespace,
    make_tenant,
)
from webhook.controller.compiling.case import Broker, Case
from webhook.controller.compiling.policy import Compiled, compile_policy
from webhook.resources.claims import judge_claim
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.meta import Invalid, read_meta
from webhook.resources.routes import Route, parse_route
from webhook.resources.tenants import Tenant, parse_tenant

BROKER = Broker("https://mca-broker.mca-system.svc:8444", CA)
STORED = {"secretRef": {"name": "eu"}}
# Of each form one; eu-1 and gold may be used everywhere, gold is guarded.
CLUSTERS = (
    make_cluster("eu-1", "Accepted"),
    make_cluster("gold", "Accepted", "Enforced"),
    make_cluster("stored", "Accepted", "Enforced", credentials=STORED),
    make_cluster("new"),
)
USED = ["eu-1", "gold", "stored", "new", "gone"]


def parse_clusters(*documents: Any) -> dict[str, Cluster | Invalid]:
    return {each.name: each for each in map(parse_cluster, documents)}


def make_tenant_value(**spec: Any) -> Tenant:
    tenant = parse_tenant(make_tenant(**{"clusters": USED, **spec}))
    assert isinstance(tenant, Tenant), tenant
    return tenant


def make_case(
    *routes: Any,
    namespace: Any = None,
    tenant: Any = None,
    clusters: tuple[Any, ...] = CLUSTERS,
    namespaces: tuple[str, ...] = ("team-a",),
    broker: Broker | None = BROKER,
) -> Case:
    """Of documents. The namespace is team-a with an enforced boundary, the tenant is acme."""
    facts = read_meta(make_namespace(boundary="enforced") if namespace is None else namespace)
    held = parse_tenant(make_tenant(clusters=USED) if tenant is None else tenant)
    parsed: list[Route | Invalid] = [parse_route(route) for route in routes]
    claim = judge_claim(facts, {held.name: held})
    return Case(facts, claim, namespaces, parse_clusters(*clusters), parsed, broker)


def compile_case(*routes: Any, **more: Any) -> tuple[Compiled, Snapshot]:
    """Compiled, and as a sidecar loads it."""
    compiled = compile_policy(make_case(*routes, **more))
    snapshot = parse_snapshot(compiled.content.encode())
    assert isinstance(snapshot, Snapshot), snapshot
    assert snapshot.revision == compiled.revision
    return compiled, snapshot


def content(compiled: Compiled) -> Any:
    return json.loads(compiled.content)
