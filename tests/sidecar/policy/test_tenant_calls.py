import pytest

from sidecar.policy.index import ObjectName
from sidecar.policy.requestinfo import RequestInfo
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Tenant
from sidecar.policy.tenancy import Allowed, Tenancy, compile_tenant
from sidecar.policy.tenant_calls import judge_call, judge_written
from sidecar.policy.verdict import Body, Caller, Denial, NeedBody, NeedScope
from tests.sidecar.policy.calls import CALLER, call

ANY = ("*",)
TENANT = Tenant(
    "acme",
    "enforce",
    ("team-a",),
    (
        Permission("patch", "allow", ("patch",), ANY, ANY),
        Permission("own", "allow", ("create",), ("",), ("pods",), names=("own-*",)),
    ),
    (ClusterResource("nodes", ("patch",), ("",), ("nodes",)),),
)
AUDIT = TENANT._replace(mode="audit")
SCOPES = Scopes()
SCOPES.learn("home", "", "v1", {"pods": True, "nodes": False})
SCOPES.learn("home", "coordination.k8s.io", "v1", {"leases": True})
PODS = "/api/v1/namespaces/team-a/pods"
APPLY = Body("application/apply-patch+yaml", b"{}")
MERGE = Body("application/merge-patch+json", b"{}")


Made = tuple[Tenancy, Scopes, Caller, RequestInfo, ObjectName, tuple[str, ...]]


def made(method: str, raw: str, tenant: Tenant = TENANT, scopes: Scopes = SCOPES) -> Made:
    info = call(method, raw)
    return (compile_tenant(tenant), scopes, CALLER, info, ObjectName(info.name), ("home",))


@pytest.mark.parametrize(
    ("method", "raw", "rule"),
    [
        ("GET", "/api/v1/pods", "tenant/all-namespaces"),
        ("GET", "/api/v1/cars", "tenant/unknown-kind"),
        ("GET", "/api/v1/nodes", "tenant/cluster-scoped"),
        ("GET", PODS, "default/deny"),
    ],
)
def test_scope_comes_before_permissions(method: str, raw: str, rule: str) -> None:
    refused = judge_call(*made(method, raw))
    assert isinstance(refused, Denial)
    assert refused.rule == rule
    assert judge_written(*made(method, raw), None) == refused


@pytest.mark.parametrize(
    ("method", "raw", "tenant", "asks"),
    [
        ("PATCH", f"{PODS}/x", TENANT, True),
        ("GET", PODS, TENANT, False),
        ("GET", PODS, AUDIT, True),
        ("PATCH", "/api/v1/nodes/n", TENANT._replace(permissions=()), True),
        ("GET", "/api/v1/nodes/n", TENANT._replace(permissions=()), False),
    ],
)
def test_a_kind_is_asked_for_only_where_a_rule_could_allow_it(
    method: str, raw: str, tenant: Tenant, asks: bool
) -> None:
    verdict = judge_call(*made(method, raw, tenant, Scopes()))
    if asks:
        assert isinstance(verdict, NeedScope)
    else:
        assert isinstance(verdict, Denial)
        assert verdict.rule == "default/deny"


@pytest.mark.parametrize("tenant", [TENANT, AUDIT])
@pytest.mark.parametrize("body", [None, APPLY, MERGE])
def test_what_may_be_created_may_be_applied(tenant: Tenant, body: Body | None) -> None:
    allowed = Allowed("permission/patch")
    for raw in (f"{PODS}/own-1", f"{PODS}/x/status"):
        assert judge_call(*made("PATCH", raw, tenant)) == allowed
        assert judge_written(*made("PATCH", raw, tenant), body) == allowed


@pytest.mark.parametrize("raw", [f"{PODS}/x", "/api/v1/nodes/n"])
def test_what_may_not_be_created_may_not_be_applied(raw: str) -> None:
    patch = made("PATCH", raw)
    assert isinstance(judge_call(*patch), Allowed)
    assert judge_written(*patch, None) == NeedBody()
    assert judge_written(*patch, MERGE) == judge_call(*patch)
    assert isinstance(judge_written(*patch, APPLY), Denial)


LEASE = "/apis/coordination.k8s.io/v1/namespaces/team-a/leases/x"
UPDATER = TENANT._replace(permissions=(Permission("put", "allow", ("update",), ANY, ANY),))


def test_an_update_that_would_create() -> None:
    update = made("PUT", LEASE, UPDATER)
    assert judge_written(*update, None) == NeedBody()
    own = Body("application/json", b'{"metadata":{"uid":"1"}}')
    assert judge_written(*update, own) == Allowed("permission/put")
    refused = judge_written(*update, Body("application/json", b'{"metadata":{"name":"x"}}'))
    assert isinstance(refused, Denial)
    assert refused.rule == "default/deny"
    assert "allows to create leases.coordination.k8s.io" in refused.message
    unread = judge_written(*update, Body("application/json", b"["))
    assert isinstance(unread, Denial)
    assert unread.rule == "body/metadata"
    pods = made("PUT", f"{PODS}/x", UPDATER)
    assert judge_written(*pods, None) == Allowed("permission/put")


def test_mode_audit_tells_of_it() -> None:
    patch = made("PATCH", f"{PODS}/x", AUDIT)
    assert judge_written(*patch, None) == NeedBody()
    assert judge_written(*patch, MERGE) == Allowed("permission/patch")
    assert judge_written(*patch, APPLY) == Allowed("default/audit", "default/deny")
    # Refused already as a patch: the body says nothing more.
    lost = made("PATCH", f"{PODS}/x", AUDIT._replace(permissions=()))
    assert judge_written(*lost, None) == Allowed("default/audit", "default/deny")
