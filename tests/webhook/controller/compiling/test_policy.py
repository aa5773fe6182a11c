"""Compiling as a whole: never wider, never none, whatever it is given."""

import json
from typing import Any

import pytest

from sidecar.policy.snapshot import MAX_EVENT_BYTES, Snapshot
from sidecar.snapshot_events import KEY, Found, read_event
from tests.webhook.controller.compiling.scene import CLUSTERS, compile_case, make_case
from tests.webhook.resources.objects import (
    make_cluster,
    make_match,
    make_namespace,
    make_route,
    make_tenant,
)
from webhook.controller.compiling.fitting import MAX_BYTES
from webhook.controller.compiling.policy import compile_policy
from webhook.resources.meta import Invalid
from webhook.resources.tenants import Tenant

WIDE = [make_match("configmaps", names=[f"{'x' * 240}{number}" for number in range(60)])]


def denies_all(snapshot: Snapshot) -> bool:
    tenant = snapshot.tenant
    return (
        tenant is not None
        and (tenant.namespaces, tenant.permissions, tenant.mode) == ((), (), "enforce")
        and [cluster.name for cluster in snapshot.clusters] == ["home"]
        and snapshot.routes == ()
    )


def test_without_a_tenant_home_only() -> None:
    namespace = make_namespace(tenant="", injection="enabled")
    compiled, snapshot = compile_case(make_route(), namespace=namespace)
    assert snapshot.tenant is None
    assert [cluster.name for cluster in snapshot.clusters] == ["home"]
    assert snapshot.routes == ()
    assert compiled.routes["dev"].reason == "NoTenant"
    assert "an admin labels it mca.io/tenant" in compiled.routes["dev"].message
    assert compiled.tenant == ()


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        (make_namespace(uid="another"), "acme"),
        (make_namespace(uid="uid-acme", tenant=""), "lost"),
        (make_namespace("team-b"), "acme"),
        (make_namespace(tenant="no.label"), "lost"),
    ],
)
def test_a_namespace_that_lost_its_tenant_denies_all(namespace: Any, name: str) -> None:
    compiled, snapshot = compile_case(make_route(), make_route("bad", priority=-1),
                                      namespace=namespace)  # fmt: skip
    assert denies_all(snapshot)
    assert snapshot.tenant is not None
    assert snapshot.tenant.name == name
    assert {verdict.reason for verdict in compiled.routes.values()} == {"NoTenant"}
    assert compiled.tenant == (compiled.routes["dev"].message,)


def test_clusters_that_cannot_be_used_are_told() -> None:
    compiled, snapshot = compile_case()
    assert [cluster.name for cluster in snapshot.clusters] == ["home", "eu-1", "gold", "stored"]
    assert len(compiled.tenant) == 2
    assert "'new' is not accepted" in compiled.tenant[0]
    assert "no Cluster 'gone'" in compiled.tenant[1]


def test_over_the_size_the_tenants_routes_go_first() -> None:
    """Those of the lowest priority; the admin's, permissions and members stay."""
    admin = [{"name": f"r{number}", **make_route(match=WIDE * 5)["spec"]} for number in range(5)]
    own = [make_route(f"r{number:02}", match=WIDE, priority=number) for number in range(99)]
    compiled, snapshot = compile_case(*own, tenant=make_tenant(clusters=["eu-1"], routes=admin))
    assert len(compiled.content) <= MAX_BYTES + 64
    kept = [route.name for route in snapshot.routes]
    assert kept[:5] == [f"admin.r{number}" for number in range(5)]
    own_kept = kept[5:]
    assert 0 < len(own_kept) < 99
    assert own_kept == [f"r{number:02}" for number in range(98, 98 - len(own_kept), -1)]
    left_out = {name for name, verdict in compiled.routes.items() if verdict.reason == "TooLarge"}
    assert left_out == {f"r{number:02}" for number in range(99)} - set(own_kept)
    assert snapshot.tenant is not None
    assert snapshot.tenant.permissions


def test_then_the_admins() -> None:
    admin = [{"name": f"r{number:02}", **make_route(match=WIDE * 8, priority=number)["spec"]}
             for number in range(15)]  # fmt: skip
    compiled, snapshot = compile_case(
        make_route(), tenant=make_tenant(clusters=["eu-1"], routes=admin)
    )
    kept = [route.name for route in snapshot.routes]
    assert 0 < len(kept) < 15
    assert kept[0] == "admin.r14"
    assert compiled.routes["dev"].reason == "TooLarge"
    assert len(compiled.tenant) == 15 - len(kept)
    assert "would hold more than" in compiled.tenant[0]


def as_event(content: str) -> bytes:
    """The object with this in it, as an API server tells of it."""
    metadata = {"namespace": "team-a", "name": "mca-policy"}
    told = {"type": "MODIFIED", "object": {"metadata": metadata, "data": {KEY: content}}}
    line = json.dumps(told)
    return line.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026").encode()


@pytest.mark.parametrize("character", "<>&")
def test_what_is_longer_on_its_way_still_gets_through(character: str) -> None:
    """350 KB of them, six bytes each in the watch's event: sidecars would read no more of it."""
    names = [f"{character * 236}{number}" for number in range(60)]
    own = [make_route(f"r{number}", match=[make_match("configmaps", names=names)] * 5,
                      priority=number) for number in range(5)]  # fmt: skip
    assert sum(str(route).count(character) for route in own) > 350_000
    compiled, snapshot = compile_case(*own)
    event = as_event(compiled.content)
    assert len(event) <= MAX_EVENT_BYTES - 32 * 1024
    assert read_event(event, "team-a", "mca-policy") == Found(compiled.content.encode())
    assert [route.name for route in snapshot.routes] == ["r4", "r3", "r2", "r1"]
    assert compiled.routes["r0"].reason == "TooLarge"
    assert "<, > and & are six there" in compiled.routes["r0"].message


def test_nor_can_a_tenant_be_too_large_on_its_way() -> None:
    names = [f"{'<' * 236}{number}" for number in range(60)]
    permissions = [
        {"name": f"p{number}", "effect": "allow", "verbs": ["*"],
         **make_match("configmaps", names=names)}
        for number in range(26)
    ]  # fmt: skip
    compiled, snapshot = compile_case(tenant=make_tenant(permissions=permissions))
    assert denies_all(snapshot)
    assert "shorten its permissions" in compiled.tenant[0]


def test_a_tenant_that_is_too_large_is_closed() -> None:
    permissions = [
        {"name": f"p{number}", "effect": "allow", "verbs": ["*"], **WIDE[0]}
        for number in range(100)
    ]
    compiled, snapshot = compile_case(make_route(), tenant=make_tenant(permissions=permissions))
    assert denies_all(snapshot)
    assert compiled.routes["dev"].reason == "TooLarge"
    assert "shorten its permissions" in compiled.tenant[0]


def test_what_the_loader_would_refuse_is_closed() -> None:
    """However it got so far: here, a Tenant of a kind that parsing does not make."""
    case = make_case(make_route())
    tenant = case.claim.tenant
    assert isinstance(tenant, Tenant)
    odd = case._replace(claim=case.claim._replace(tenant=tenant._replace(permissions=({},))))
    compiled = compile_policy(odd)
    assert compiled.routes["dev"].reason == "Invalid"
    assert "tenant.permissions[0].name: is missing" in compiled.tenant[0]
    assert '"permissions":[]' in compiled.content


def test_a_revocation_gets_through_whatever_the_routes_are() -> None:
    own = [make_route(f"r{number:02}", match=WIDE * 8) for number in range(99)]
    before, with_it = compile_case(*own)
    after, without = compile_case(*own, tenant=make_tenant(clusters=["gold"]))
    assert "eu-1" in {cluster.name for cluster in with_it.clusters}
    assert {cluster.name for cluster in without.clusters} == {"home", "gold", "mca-closed"}
    assert before.revision != after.revision


def test_a_cluster_that_cannot_be_read_does_not_matter_to_the_others() -> None:
    bad = make_cluster("new", "Accepted", caBundle="eA==")
    compiled, snapshot = compile_case(make_route(), clusters=(*CLUSTERS[:2], bad))
    assert compiled.routes["dev"].accepted
    assert isinstance(make_case(clusters=(bad,)).clusters["new"], Invalid)
    assert [cluster.name for cluster in snapshot.clusters] == ["home", "eu-1", "gold"]
