"""Whatever is given, a snapshot is taken by sidecars and holds no more than the Tenant says."""

from typing import Any

from hypothesis import given, strategies as st

from sidecar.policy.verdict import HOME
from tests.webhook.controller.compiling.scene import STORED, compile_case
from tests.webhook.resources.objects import (
    make_cluster,
    make_match,
    make_namespace,
    make_route,
    make_tenant,
)
from webhook.resources.names import CLOSED

NAMES = ("eu-1", "eu-2", "eu-3")
KINDS = st.sampled_from(["configmaps", "pods", "*", "leases", "Bad", "*/exec"])
GROUPS = st.sampled_from([("",), ("*",), ("apps",), ("coordination.k8s.io",)])


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Any, ...]:
    holding = st.lists(st.sampled_from(["Accepted", "Enforced"]), unique=True)
    return tuple(
        make_cluster(name, *draw(holding), credentials=draw(st.sampled_from([None, STORED])))
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    )


@st.composite
def routes(draw: st.DrawFn) -> list[Any]:
    return [
        make_route(
            f"r{number}",
            draw(st.sampled_from([*NAMES, HOME, "other"])),
            priority=draw(st.sampled_from([0, 1, 999, 1000])),
            match=[make_match(draw(KINDS), groups=draw(GROUPS))],
            stand_ins=tuple(draw(st.lists(st.sampled_from(NAMES), max_size=2))),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


NAMESPACES = st.sampled_from(
    [
        make_namespace(),
        make_namespace(boundary="enforced"),
        make_namespace(uid="uid-acme", boundary="enforced"),
        make_namespace(uid="old"),
        make_namespace("team-b"),
        make_namespace(tenant="", injection="enabled"),
    ]
)


@given(NAMESPACES, clusters(), routes(), routes(), st.lists(st.sampled_from(NAMES), unique=True))
def test_never_wider(
    namespace: Any, there: tuple[Any, ...], own: list[Any], admins: list[Any], used: list[str]
) -> None:
    listed = [{"name": each["metadata"]["name"], **each["spec"]} for each in admins]
    tenant = make_tenant(clusters=used, routes=listed)
    held = ("team-a", "team-c")
    compiled, snapshot = compile_case(
        *own, namespace=namespace, tenant=tenant, clusters=there, namespaces=held
    )
    conditions = {
        each["metadata"]["name"]: {found["type"] for found in each["status"]["conditions"]}
        for each in there
    }
    usable = {name for name in used if "Accepted" in conditions.get(name, ())}
    known = {cluster.name for cluster in snapshot.clusters}
    assert known <= {HOME, CLOSED, *usable}
    if snapshot.tenant is None:
        assert "mca.io/tenant" not in namespace["metadata"]["labels"]
        assert (known, snapshot.routes) == ({HOME}, ())
    else:
        assert {*snapshot.tenant.namespaces} <= {*held}
        assert len(snapshot.tenant.permissions) <= 1
    names = {route.name for route in snapshot.routes}
    assert {name for name, verdict in compiled.routes.items() if verdict.accepted} <= names
    for route in snapshot.routes:
        assert (route.priority >= 1000) is route.name.startswith("admin.")
        if route.members[0].cluster == CLOSED and not route.name.startswith("admin."):
            assert not compiled.routes[route.name].accepted
