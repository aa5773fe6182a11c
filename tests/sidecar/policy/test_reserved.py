import pytest

from sidecar.policy.reserved import is_reserved, is_review, stays_home
from tests.sidecar.policy.calls import call

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.mark.parametrize(
    ("method", "path", "reserved"),
    [
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", True),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", True),
        ("POST", "/apis/authorization.k8s.io/v1/namespaces/a/localsubjectaccessreviews", True),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", False),
        ("POST", "/apis/example.com/v1/tokenreviews", False),
        ("POST", f"{RBAC}/namespaces/a/roles", True),
        ("PUT", f"{RBAC}/namespaces/a/rolebindings/b", True),
        ("PATCH", f"{RBAC}/clusterroles/b", True),
        ("DELETE", f"{RBAC}/clusterrolebindings/b", True),
        ("DELETE", f"{RBAC}/namespaces/a/roles", True),
        ("GET", f"{RBAC}/namespaces/a/roles", False),
        ("GET", f"{RBAC}/clusterroles/b", False),
        ("POST", f"{RBAC}/namespaces/a/others", False),
        ("POST", "/apis/example.com/v1/namespaces/a/roles", False),
        ("POST", "/api/v1/namespaces/a/pods/b/binding", True),
        ("POST", "/api/v1/namespaces/a/bindings", True),
        ("POST", "/api/v1/namespaces/a/pods", False),
        ("POST", "/apis/example.com/v1/namespaces/a/bindings", False),
    ],
)
def test_what_no_wildcard_covers(method: str, path: str, reserved: bool) -> None:
    assert is_reserved(call(method, path)) == reserved


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/apis/coordination.k8s.io/v1/namespaces/a/leases", True),
        ("/apis/example.com/v1/namespaces/a/leases", False),
        ("/api/v1/namespaces/a/events", True),
        ("/apis/events.k8s.io/v1/namespaces/a/events", True),
        ("/apis/example.com/v1/namespaces/a/events", False),
        ("/apis/authentication.k8s.io/v1/tokenreviews", True),
        ("/api/v1/namespaces/a/pods", False),
    ],
)
def test_what_no_wildcard_routes(path: str, home: bool) -> None:
    info = call("POST", path)
    assert stays_home(info) == home
    assert not home or is_review(info) == path.endswith("reviews")
