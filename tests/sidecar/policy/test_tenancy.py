import pytest

from sidecar.policy.index import ObjectName
from sidecar.policy.snapshot_tenant import ClusterResource, Permission, Tenant
from sidecar.policy.tenancy import (
    Allowed,
    Tenancy,
    compile_tenant,
    judge_kind,
    judge_namespace,
    judge_path,
    judge_scope,
    may_allow,
    permission_hangs_on_name,
)
from sidecar.policy.verdict import Caller, Denial
from tests.sidecar.policy.calls import CALLER, call

ANY = ("*",)
A = "/api/v1/namespaces/team-a"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def allow(name: str, verbs: str, group: str, resources: str, **more: tuple[str, ...]) -> Permission:
    lists = tuple(verbs.split()), (group,), tuple(resources.split())
    return Permission(name, "allow", *lists, **more)


def deny(name: str, verbs: str, group: str, resources: str, **more: tuple[str, ...]) -> Permission:
    return allow(name, verbs, group, resources, **more)._replace(effect="deny")


def tenancy(*permissions: Permission, mode: str = "enforce") -> Tenancy:
    resources = (
        ClusterResource("nodes", ("get", "list"), ("",), ("nodes", "namespaces")),
        ClusterResource("1", ("create",), ANY, ANY, ("own-*",)),
        ClusterResource("roles", ANY, ("rbac.authorization.k8s.io",), ("clusterroles",)),
    )
    namespaces = ("team-a", "team-b")
    return compile_tenant(
        Tenant(
            "acme",
            "audit" if mode == "audit" else "enforce",
            namespaces,
            permissions,
            resources,
        )
    )


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        (f"{A}/pods", True),
        ("/api/v1/namespaces/team-b/pods", True),
        ("/api/v1/namespaces/team-c/pods", False),
        ("/api/v1/namespaces/Team-a/pods", False),
        ("/api/v1/namespaces/team-%C3%A1/pods", False),
        ("/api/v1/watch/namespaces/team-c/pods", False),
        ("/apis/example.com/v1/namespaces/team-c", False),
        # Whose namespace this is will be judged by clusterResources.
        ("/api/v1/namespaces/team-c", True),
        ("/api/v1/namespaces/team-c/status", True),
        ("/api/v1/namespaces?fieldSelector=metadata.name%3Dteam-c", True),
        # There are no namespaces within a namespace.
        ("/api/v1/namespaces/team-c/namespaces/team-a", False),
        ("/api/v1/namespaces/team-c/namespaces", False),
        ("/api/v1/pods", True),
    ],
)
def test_namespaces(path: str, inside: bool) -> None:
    refused = judge_namespace(tenancy(), call("GET", path))
    assert (refused is None) == inside
    if refused is not None:
        assert refused.rule == "tenant/namespace"
        assert "is not one of the tenant 'acme': use one of its namespaces" in refused.message
        assert refused.message.endswith("e.g. -n team-a")


def test_a_tenant_without_namespaces() -> None:
    lost = compile_tenant(Tenant("acme", "enforce", (), ()))
    refused = judge_namespace(lost, call("GET", f"{A}/pods"))
    assert refused is not None
    assert refused.message.endswith("it has none now")


@pytest.mark.parametrize(
    ("method", "path", "namespaced", "rule"),
    [
        ("GET", f"{A}/pods", True, None),
        ("GET", "/api/v1/pods", True, "tenant/all-namespaces"),
        ("GET", "/api/v1/pods?watch=true", True, "tenant/all-namespaces"),
        ("GET", "/api/v1/watch/pods", True, "tenant/all-namespaces"),
        ("GET", "/api/v1/pods?fieldSelector=metadata.namespace%3Dteam-a", True,
         "tenant/all-namespaces"),
        ("DELETE", "/api/v1/pods", True, "tenant/all-namespaces"),
        ("POST", "/api/v1/pods", True, "tenant/namespace"),
        ("GET", "/api/v1/pods/x", True, "tenant/namespace"),
        ("GET", "/api/v1/nodes", False, None),
        ("GET", "/api/v1/namespaces/team-c", False, None),
        ("GET", f"{A}/nodes", False, "tenant/cluster-scoped"),
        ("GET", f"{A}/namespaces/team-b", False, "tenant/cluster-scoped"),
        ("GET", f"{A}/namespaces", False, "tenant/cluster-scoped"),
    ],
)  # fmt: skip
def test_scope(method: str, path: str, namespaced: bool, rule: str | None) -> None:
    refused = judge_scope(tenancy(), call(method, path), namespaced=namespaced)
    assert (refused and refused.rule) == rule


def test_what_to_do_about_all_namespaces() -> None:
    refused = judge_scope(tenancy(), call("GET", "/api/v1/pods"), namespaced=True)
    assert refused is not None
    assert refused.message == (
        "list pods over all namespaces reaches beyond the tenant 'acme': "
        "ask for one of its namespaces, e.g. -n team-a"
    )


RULES = tenancy(
    allow("read", "get list watch", "", "pods pods/log configmaps"),
    allow("ci", "*", "", "*", names=("ci-*",)),
    deny("secret", "*", "", "configmaps", names=("secret-*",)),
    deny("exec", "create", "*", "*/exec pods/attach"),
    allow("box", "*", "apps", "*", containers=("ci",)),
    allow("account", "*", "batch", "*", service_accounts=("ci",)),
    allow("b", "*", "apps", "deployments", namespaces=("*-b",)),
    allow("rbac", "*", "rbac.authorization.k8s.io", "*"),
    allow("roles", "create", "rbac.authorization.k8s.io", "roles"),
    allow("tokens", "create", "authentication.k8s.io", "tokenreviews"),
    deny("nodes", "list", "", "nodes"),
    allow("generated", "create", "", "services", names=("svc-*",)),
)


def judge(
    rules: Tenancy, method: str, path: str, namespaced: bool = True, generated: str = ""
) -> Allowed | Denial:
    info = call(method, path)
    name = ObjectName(info.name, generated)
    return judge_kind(rules, info, CALLER, name, namespaced=namespaced)


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", f"{A}/pods", "read"),
        ("GET", f"{A}/pods/x/log", "read"),
        ("HEAD", f"{A}/pods/x", "read"),
        ("DELETE", f"{A}/pods/ci-1", "ci"),
        ("PATCH", f"{A}/pods/ci-1", "ci"),
        ("GET", f"{A}/pods?fieldSelector=metadata.name%3Dci-1", "read"),
        ("GET", f"{A}/services?fieldSelector=metadata.name%3Dci-1", "ci"),
        ("GET", "/api/v1/namespaces/team-a/configmaps/secret", "read"),
        ("PUT", "/apis/apps/v1/namespaces/team-b/deployments/x", "b"),
        ("GET", f"{RBAC}/namespaces/team-a/roles", "rbac"),
        ("POST", f"{RBAC}/namespaces/team-a/roles", "roles"),
    ],
)
def test_allowed(method: str, path: str, rule: str) -> None:
    assert judge(RULES, method, path) == Allowed(f"permission/{rule}")


@pytest.mark.parametrize(
    ("method", "path", "rule", "says"),
    [
        ("DELETE", f"{A}/pods/x", "default/deny", "allows to delete pods in namespace 'team-a'"),
        ("DELETE", f"{A}/pods/CI-1", "default/deny", "allows to delete pods"),
        ("DELETE", f"{A}/pods", "default/deny", "by permission/ci, and it names no object"),
        ("POST", f"{A}/pods", "default/deny", "allowed for some names only, by permission/ci"),
        ("GET", f"{A}/pods/x/status", "default/deny", "allows to get pods/status in"),
        ("GET", f"{A}/services", "default/deny", "allowed for some names only"),
        ("GET", f"{A}/configmaps/secret-1", "permission/secret", "denied to this caller"),
        ("GET", f"{A}/configmaps", "permission/secret", "reaches an object that is denied by its"),
        ("GET", f"{A}/configmaps?watch=1", "permission/secret", "name the object that you mean"),
        ("DELETE", f"{A}/configmaps", "permission/secret", "reaches an object"),
        ("GET", f"{A}/pods/ci-1/exec", "permission/exec", "create pods/exec in namespace"),
        ("POST", f"{A}/pods/ci-1/exec", "permission/exec", "is denied to this caller"),
        ("GET", f"{A}/pods/ci-1/attach", "permission/exec", "is denied to this caller"),
        ("GET", "/apis/apps/v1/namespaces/team-a/deployments", "default/deny",
         "allows to list deployments.apps in"),
        ("GET", "/apis/batch/v1/namespaces/team-a/jobs", "default/deny", "ask whoever keeps"),
        ("PUT", f"{RBAC}/namespaces/team-a/roles/x", "default/deny", "* does not cover it"),
        ("POST", f"{RBAC}/namespaces/team-a/rolebindings", "default/deny",
         "must name the group and rolebindings.rbac.authorization.k8s.io itself"),
        ("POST", f"{A}/pods/ci-1/binding", "default/deny", "* does not cover it"),
    ],
)  # fmt: skip
def test_refused(method: str, path: str, rule: str, says: str) -> None:
    refused = judge(RULES, method, path)
    assert isinstance(refused, Denial)
    assert refused.rule == rule
    assert says in refused.message
    assert refused.message.isprintable()


@pytest.mark.parametrize(
    ("caller", "path", "rule"),
    [
        (CALLER._replace(container="ci"), "/apis/apps/v1/namespaces/team-a/deployments", "box"),
        (CALLER._replace(service_account="ci"), "/apis/batch/v1/namespaces/team-a/jobs", "account"),
    ],
)
def test_rules_of_some_callers(caller: Caller, path: str, rule: str) -> None:
    assert isinstance(judge(RULES, "GET", path), Denial)
    allowed = judge_kind(RULES, call("GET", path), caller, ObjectName(), namespaced=True)
    assert allowed == Allowed(f"permission/{rule}")


@pytest.mark.parametrize(
    ("generated", "path", "expected"),
    [
        ("ci-", f"{A}/pods", "permission/ci"),
        ("svc-", f"{A}/services", "permission/generated"),
        ("web-", f"{A}/pods", None),
        ("secret-", f"{A}/configmaps", None),
    ],
)
def test_generated_names(generated: str, path: str, expected: str | None) -> None:
    found = judge(RULES, "POST", path, generated=generated)
    if expected is None:
        assert isinstance(found, Denial)
    else:
        assert found == Allowed(expected)


def test_generated_names_that_cannot_be_told() -> None:
    rules = tenancy(
        allow("short", "*", "", "pods", names=("ci-b*",)),
        allow("all", "*", "", "secrets"),
        deny("some", "*", "", "secrets", names=("ci-b*",)),
    )
    refused = judge(rules, "POST", f"{A}/pods", generated="ci-")
    assert isinstance(refused, Denial)
    assert refused.rule == "default/deny"
    assert "by permission/short, and its name is generated" in refused.message
    refused = judge(rules, "POST", f"{A}/secrets", generated="ci-")
    assert isinstance(refused, Denial)
    assert refused.rule == "permission/some"
    assert "may make an object that is denied" in refused.message
    assert judge(rules, "POST", f"{A}/secrets", generated="c-") == Allowed("permission/all")


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/api/v1/nodes/n", "clusterResource/nodes"),
        ("GET", "/api/v1/namespaces/team-c", "clusterResource/nodes"),
        ("POST", f"{RBAC}/clusterroles", "clusterResource/roles"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "permission/tokens"),
    ],
)
def test_kinds_without_namespaces(method: str, path: str, rule: str) -> None:
    assert judge(RULES, method, path, namespaced=False) == Allowed(rule)


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/api/v1/nodes", "permission/nodes"),
        ("DELETE", "/api/v1/nodes/n", "tenant/cluster-scoped"),
        ("GET", "/api/v1/nodes/n/status", "tenant/cluster-scoped"),
        ("PUT", "/api/v1/namespaces/team-a/finalize", "tenant/cluster-scoped"),
        ("PATCH", "/api/v1/namespaces/team-a/status", "tenant/cluster-scoped"),
        ("DELETE", "/api/v1/namespaces/team-a", "tenant/cluster-scoped"),
        # Named by a wildcard only, and for some names.
        ("POST", f"{RBAC}/clusterrolebindings", "tenant/cluster-scoped"),
        ("POST", "/api/v1/persistentvolumes", "tenant/cluster-scoped"),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "default/deny"),
    ],
)
def test_kinds_without_namespaces_refused(method: str, path: str, rule: str) -> None:
    refused = judge(RULES, method, path, namespaced=False)
    assert isinstance(refused, Denial)
    assert refused.rule == rule


PROD = compile_tenant(
    Tenant(
        "acme",
        "enforce",
        ("dev",),
        (
            allow("all", "*", "*", "*"),
            deny("prod", "*", "*", "*", namespaces=("prod",)),
        ),
        (ClusterResource("namespaces", ANY, ("",), ("namespaces",)),),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "written", "allowed"),
    [
        ("GET", "/api/v1/namespaces/dev", "dev", True),
        ("GET", "/api/v1/namespaces?fieldSelector=metadata.name%3Ddev", "dev", True),
        ("POST", "/api/v1/namespaces", "dev", True),
        ("GET", "/api/v1/namespaces/prod", "prod", False),
        ("DELETE", "/api/v1/namespaces/prod", "prod", False),
        ("PATCH", "/api/v1/namespaces/prod/status", "prod", False),
        ("GET", "/api/v1/watch/namespaces/prod", "prod", False),
        ("GET", "/api/v1/namespaces?fieldSelector=metadata.name%3Dprod", "prod", False),
        ("GET", "/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Dprod", "prod", False),
        ("GET", "/api/v1/namespaces", "", False),
        ("GET", "/api/v1/namespaces?watch=1", "", False),
        ("POST", "/api/v1/namespaces", "prod", False),
    ],
)
def test_a_deny_for_a_namespace_is_one_for_its_object(
    method: str, path: str, written: str, allowed: bool
) -> None:
    info = call(method, path)
    found = judge_kind(PROD, info, CALLER, ObjectName(written), namespaced=False)
    assert isinstance(found, Allowed) == allowed
    assert permission_hangs_on_name(PROD, call("POST", "/api/v1/namespaces"), CALLER)


def test_names_of_kinds_without_namespaces() -> None:
    volumes = call("POST", "/api/v1/persistentvolumes")
    for name in (ObjectName("own-1"), ObjectName("", "own-")):
        allowed = judge_kind(RULES, volumes, CALLER, name, namespaced=False)
        assert allowed == Allowed("clusterResource/1")
    assert isinstance(
        judge_kind(RULES, volumes, CALLER, ObjectName("other"), namespaced=False), Denial
    )


def test_deny_comes_before_allow_wherever_it_stands() -> None:
    rules = tenancy(allow("all", "*", "*", "*"), deny("late", "get", "", "pods"))
    refused = judge(rules, "GET", f"{A}/pods/x")
    assert isinstance(refused, Denial)
    assert refused.rule == "permission/late"
    assert judge(rules, "GET", f"{A}/pods") == Allowed("permission/all")


AUDIT = tenancy(
    deny("secret", "*", "", "secrets"),
    deny("nodes", "*", "", "nodes"),
    allow("read", "get", "", "*"),
    mode="audit",
)


def test_mode_audit_relaxes_permissions() -> None:
    assert judge(AUDIT, "GET", f"{A}/pods/x") == Allowed("permission/read")
    assert judge(AUDIT, "DELETE", f"{A}/pods/x") == Allowed("default/audit", "default/deny")
    secrets = judge(AUDIT, "GET", f"{A}/secrets/x")
    assert secrets == Allowed("default/audit", "permission/secret")
    nodes = judge(AUDIT, "GET", "/api/v1/nodes", namespaced=False)
    assert nodes == Allowed("clusterResource/nodes", "permission/nodes")
    paths = judge_path(AUDIT, call("GET", "/metrics"), CALLER)
    assert paths == Allowed("default/audit", "default/deny")


@pytest.mark.parametrize("kind", ["authentication.k8s.io/v1/tokenreviews",
                                  "authorization.k8s.io/v1/subjectaccessreviews"])  # fmt: skip
def test_but_not_for_reviews_of_others(kind: str) -> None:
    refused = judge(AUDIT, "POST", f"/apis/{kind}", namespaced=False)
    assert isinstance(refused, Denial)
    denying = tenancy(deny("no", "*", "*", "*"), mode="audit")
    refused = judge(denying, "POST", f"/apis/{kind}", namespaced=False)
    assert isinstance(refused, Denial)
    assert refused.rule == "permission/no"


def test_but_not_the_scope() -> None:
    assert isinstance(judge(AUDIT, "DELETE", "/api/v1/nodes/n", namespaced=False), Denial)
    assert judge_namespace(AUDIT, call("GET", "/api/v1/namespaces/team-c/pods")) is not None
    assert judge_scope(AUDIT, call("GET", "/api/v1/pods"), namespaced=True) is not None


@pytest.mark.parametrize(
    ("rules", "method", "path", "expected"),
    [
        (RULES, "GET", f"{A}/pods", True),
        (RULES, "POST", f"{A}/pods", True),
        (RULES, "DELETE", "/apis/apps/v1/namespaces/team-a/deployments/x", False),
        (RULES, "POST", "/api/v1/persistentvolumes", True),
        (RULES, "GET", "/apis/x.io/v1/namespaces/team-a/cars", False),
        (AUDIT, "GET", "/apis/x.io/v1/namespaces/team-a/cars", True),
    ],
)
def test_what_no_rule_could_allow(rules: Tenancy, method: str, path: str, expected: bool) -> None:
    assert may_allow(rules, call(method, path), CALLER) == expected


def on_paths(name: str, *paths: str, denies: bool = False, **more: tuple[str, ...]) -> Permission:
    return Permission(
        name, "deny" if denies else "allow", ("get",), non_resource_paths=paths, **more
    )


PATHS = tenancy(
    on_paths("metrics", "/metrics", "/logs/*", "/metrics/*"),
    on_paths("slis", "/metrics/slis", denies=True),
    on_paths("debug", "/debug/*", containers=("ci",)),
)


@pytest.mark.parametrize(
    ("method", "path", "rule", "allowed"),
    [
        ("GET", "/metrics", "permission/metrics", True),
        ("GET", "/logs/a", "permission/metrics", True),
        ("GET", "/metrics/slis", "permission/slis", False),
        ("GET", "/metrics/slis/", "permission/slis", False),
        ("GET", "/METRICS", "default/deny", False),
        ("POST", "/metrics", "default/deny", False),
        ("GET", "/debug/pprof", "default/deny", False),
        ("GET", "/openid/v1/jwks", "default/deny", False),
        ("GET", "/logs/" + "a" * 1024, "default/deny", False),
    ],
)
def test_paths_that_are_no_resource(method: str, path: str, rule: str, allowed: bool) -> None:
    found = judge_path(PATHS, call(method, path), CALLER)
    assert (found.rule, isinstance(found, Allowed)) == (rule, allowed)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{A}/pods", True),
        (f"{A}/configmaps", True),
        ("/api/v1/persistentvolumes", True),
        ("/apis/apps/v1/namespaces/team-b/deployments", False),
        (f"{RBAC}/namespaces/team-a/roles", False),
    ],
)
def test_when_the_name_makes_a_difference(path: str, expected: bool) -> None:
    rules = RULES
    if "persistentvolumes" not in path:
        rules = rules._replace(resources=compile_tenant(Tenant("a", "enforce", (), ())).resources)
    assert permission_hangs_on_name(rules, call("POST", path), CALLER) == expected
