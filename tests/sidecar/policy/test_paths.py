import pytest

from sidecar.policy.paths import group_told_of, is_open, tells_of_kinds
from tests.sidecar.policy.calls import call


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api", "/api/", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v2",
        "/openapi/v3/apis/apps/v1", "/version", "/version/", "/healthz", "/livez", "/readyz/",
    ],
)  # fmt: skip
def test_open_to_all(path: str) -> None:
    assert is_open(call("GET", path))
    assert is_open(call("HEAD", path))
    assert not is_open(call("POST", path))


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/logs/", "/debug/pprof", "/openid/v1/jwks",
        "/.well-known/openid-configuration", "/apiserver", "/API", "/healthz/etcd", "/versions",
    ],
)  # fmt: skip
def test_not_open(path: str) -> None:
    assert not is_open(call("GET", path))


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/api", None),
        ("/apis", None),
        ("/apis/", None),
        ("/api/v1", ""),
        ("/apis/apps", "apps"),
        ("/apis/apps/v1", "apps"),
        ("/openapi/v2", None),
        ("/openapi/v3", None),
        ("/openapi/v3/api/v1", ""),
        ("/openapi/v3/apis/apps/v1", "apps"),
        ("/openapi/v3/version", None),
    ],
)
def test_what_discovery_is_about(path: str, group: str | None) -> None:
    assert tells_of_kinds(call("GET", path))
    assert not tells_of_kinds(call("DELETE", path))
    assert group_told_of(path) == group


def test_what_is_no_discovery() -> None:
    assert not tells_of_kinds(call("GET", "/version"))
    assert not tells_of_kinds(call("GET", "/"))
