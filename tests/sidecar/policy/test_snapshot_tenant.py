from sidecar.policy.snapshot_tenant import ANY, Permission, Tenant, TenantLimits


def test_what_a_tenant_need_not_say() -> None:
    permission = Permission("read", "allow", ("get",), ("",), ("pods",))
    assert permission.namespaces == permission.names == (ANY,)
    tenant = Tenant("acme", "enforce", ("team-a",), (permission,))
    assert tenant.limits is None
    assert TenantLimits() == (0, 0, ())
