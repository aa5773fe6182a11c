"""tests/oracle holds this against the API server's code and its audit log, in volume."""

from typing import Any

import pytest

from sidecar.policy.requestinfo import RequestInfo, is_namespace_object, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import REASON_CODES, Denial


def ask(method: str, raw: str) -> RequestInfo | Denial:
    target = parse_target(raw.encode())
    assert isinstance(target, Target)
    return request_info(method, target)


def info(method: str, raw: str) -> RequestInfo:
    found = ask(method, raw)
    assert isinstance(found, RequestInfo)
    return found


PODS = {"api_prefix": "api", "version": "v1", "resource": "pods"}
NS = {"namespace": "ns"}


@pytest.mark.parametrize(
    ("method", "raw", "expected"),
    [
        ("GET", "/api/v1/pods", {**PODS, "verb": "list"}),
        ("HEAD", "/api/v1/pods", {**PODS, "verb": "list"}),
        ("GET", "/api/v1/pods/", {**PODS, "verb": "list"}),
        ("GET", "/api/v1/namespaces/ns/pods", {**PODS, **NS, "verb": "list"}),
        ("GET", "/api/v1/namespaces/ns/pods/a", {**PODS, **NS, "verb": "get", "name": "a"}),
        ("HEAD", "/api/v1/namespaces/ns/pods/a/", {**PODS, **NS, "verb": "get", "name": "a"}),
        ("POST", "/api/v1/namespaces/ns/pods", {**PODS, **NS, "verb": "create"}),
        ("PUT", "/api/v1/namespaces/ns/pods/a", {**PODS, **NS, "verb": "update", "name": "a"}),
        ("PATCH", "/api/v1/namespaces/ns/pods/a", {**PODS, **NS, "verb": "patch", "name": "a"}),
        ("DELETE", "/api/v1/namespaces/ns/pods/a", {**PODS, **NS, "verb": "delete", "name": "a"}),
        ("DELETE", "/api/v1/namespaces/ns/pods", {**PODS, **NS, "verb": "deletecollection"}),
        (
            "PUT",
            "/api/v1/namespaces/ns/pods/a/status/x",
            {**PODS, **NS, "verb": "update", "name": "a", "subresource": "status"},
        ),
        (
            "GET",
            "/apis/apps/v1/namespaces/ns/deployments",
            {"api_prefix": "apis", "group": "apps", "version": "v1", **NS, "verb": "list",
             "resource": "deployments"},
        ),
        # watch
        ("GET", "/api/v1/pods?watch=1", {**PODS, "verb": "watch"}),
        ("GET", "/api/v1/pods?watch", {**PODS, "verb": "watch"}),
        ("GET", "/api/v1/pods?watch=no", {**PODS, "verb": "watch"}),
        ("GET", "/api/v1/pods?watch=0", {**PODS, "verb": "list"}),
        ("GET", "/api/v1/pods?watch=FALSE", {**PODS, "verb": "list"}),
        ("POST", "/api/v1/pods?watch=1", {**PODS, "verb": "create"}),
        (
            "GET",
            "/api/v1/namespaces/ns/pods/a?watch=1",
            {**PODS, **NS, "verb": "get", "name": "a"},
        ),
        ("GET", "/api/v1/watch/pods", {**PODS, "verb": "watch"}),
        ("HEAD", "/api/v1/watch/pods", {**PODS, "verb": "watch"}),
        (
            "GET",
            "/api/v1/watch/namespaces/ns/pods/a?labelSelector=x",
            {**PODS, **NS, "verb": "watch", "name": "a"},
        ),
        # selectors
        (
            "GET",
            "/api/v1/pods?labelSelector=a%3Db&fieldSelector=metadata.name%3Dx",
            {**PODS, "verb": "list", "name": "x", "label_selector": "a=b",
             "field_selector": "metadata.name=x"},
        ),
        (
            "DELETE",
            "/api/v1/pods?fieldSelector=metadata.name%3Dx",
            {**PODS, "verb": "deletecollection", "field_selector": "metadata.name=x"},
        ),
        ("POST", "/api/v1/pods?labelSelector=a", {**PODS, "verb": "create"}),
        # proxy
        (
            "GET",
            "/api/v1/proxy/nodes/n/x",
            {**PODS, "resource": "nodes", "verb": "proxy", "name": "n"},
        ),
        ("POST", "/api/v1/proxy/namespaces/ns/pods/a/x",
         {**PODS, **NS, "verb": "proxy", "name": "a"}),
        # namespaces
        ("GET", "/api/v1/namespaces", {**PODS, "resource": "namespaces", "verb": "list"}),
        (
            "GET",
            "/api/v1/namespaces/ns",
            {**PODS, **NS, "resource": "namespaces", "verb": "get", "name": "ns"},
        ),
        (
            "PUT",
            "/api/v1/namespaces/ns/finalize",
            {**PODS, **NS, "resource": "namespaces", "verb": "update", "name": "ns",
             "subresource": "finalize"},
        ),
        (
            "PATCH",
            "/api/v1/namespaces/ns/status",
            {**PODS, **NS, "resource": "namespaces", "verb": "patch", "name": "ns",
             "subresource": "status"},
        ),
        # names that are also words of paths
        ("GET", "/api/v1/namespaces/watch/pods", {**PODS, "namespace": "watch", "verb": "list"}),
        (
            "GET",
            "/api/v1/nodes/proxy",
            {**PODS, "resource": "nodes", "verb": "get", "name": "proxy"},
        ),
    ],
)  # fmt: skip
def test_resource_requests(method: str, raw: str, expected: dict[str, Any]) -> None:
    path = raw.partition("?")[0]
    found = info(method, raw)._replace(long_running=False)
    assert found == RequestInfo(True, path, **expected)


@pytest.mark.parametrize(
    ("method", "raw", "verb", "prefix"),
    [
        ("GET", "/", "get", ""),
        ("GET", "/healthz", "get", ""),
        ("HEAD", "/version/", "head", ""),
        ("POST", "/api", "post", ""),
        ("GET", "/api/v1/", "get", ""),
        ("GET", "/apis/apps/v1", "get", "apis"),
        ("PUT", "/apis/apps/v1/", "put", "apis"),
        ("GET", "/apis/apps", "get", ""),
        ("PATCH", "/API/v1/pods", "patch", ""),
        ("DELETE", "/a/b/c/d", "delete", ""),
        ("GET", "/openapi/v3/apis/apps/v1?watch=1", "get", ""),
    ],
)
def test_non_resource_requests(method: str, raw: str, verb: str, prefix: str) -> None:
    assert info(method, raw) == RequestInfo(False, raw.partition("?")[0], verb, prefix)


@pytest.mark.parametrize(
    "method", ["OPTIONS", "TRACE", "CONNECT", "get", "Get", "", "FOO", "M-SEARCH"]
)
@pytest.mark.parametrize("raw", ["/api/v1/pods", "/healthz", "/api/v1/watch/pods"])
def test_other_methods_are_refused(method: str, raw: str) -> None:
    refused = ask(method, raw)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 405
    assert refused.rule == "request/method"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_a_read_watches_through_the_path(method: str) -> None:
    refused = ask(method, "/api/v1/watch/namespaces/ns/secrets")
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 405


@pytest.mark.parametrize("raw", ["/api/v1/watch", "/api/v1/proxy/", "/apis/apps/v1/watch"])
def test_a_path_that_ends_too_early_is_refused(raw: str) -> None:
    refused = ask("GET", raw)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 400


@pytest.mark.parametrize(
    ("method", "raw", "judged_verb", "is_upgrade", "long_running"),
    [
        ("GET", "/api/v1/namespaces/ns/pods/a/exec", "create", True, True),
        ("POST", "/api/v1/namespaces/ns/pods/a/attach", "create", True, True),
        ("GET", "/api/v1/namespaces/ns/pods/a/portforward/", "create", True, True),
        ("GET", "/api/v1/namespaces/ns/pods/a/log", "get", False, True),
        ("GET", "/api/v1/namespaces/ns/pods/a/proxy/x", "get", False, True),
        ("GET", "/api/v1/namespaces/ns/pods/a/status", "get", False, False),
        ("GET", "/api/v1/namespaces/ns/services/a/exec", "get", False, True),
        ("GET", "/apis/x/v1/namespaces/ns/pods/a/exec", "get", False, True),
        ("GET", "/api/v1/pods?watch=1", "watch", False, True),
        ("GET", "/api/v1/pods", "list", False, False),
        ("GET", "/healthz", "get", False, False),
    ],
)
def test_what_decisions_read_beyond_the_servers_fields(
    method: str, raw: str, judged_verb: str, is_upgrade: bool, long_running: bool
) -> None:
    found = info(method, raw)
    assert found.judged_verb == judged_verb
    assert found.is_upgrade == is_upgrade
    assert found.long_running == long_running
    assert found.watch == (judged_verb == "watch")


@pytest.mark.parametrize(
    ("query", "container", "insecure"),
    [
        ("", "", False),
        ("?container=app", "app", False),
        ("?container=", "", False),
        ("?container=..%2Ff", "../f", False),
        ("?insecureSkipTLSVerifyBackend=true", "", True),
        ("?insecureSkipTLSVerifyBackend", "", True),
        ("?insecureSkipTLSVerifyBackend=False", "", False),
        ("?insecureSkipTLSVerifyBackend=0", "", False),
    ],
)
def test_query_facts(query: str, container: str, insecure: bool) -> None:
    found = info("GET", f"/api/v1/namespaces/ns/pods/a/log{query}")
    assert (found.container, found.insecure_backend) == (container, insecure)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/api/v1/namespaces", True),
        ("/api/v1/namespaces/a", True),
        ("/api/v1/namespaces/a/status", True),
        ("/api/v1/namespaces?fieldSelector=metadata.name%3Da", True),
        ("/api/v1/namespaces/a/namespaces", False),
        ("/api/v1/namespaces/a/namespaces/b", False),
        ("/api/v1/namespaces/a/pods", False),
        ("/apis/example.com/v1/namespaces/a", False),
    ],
)
def test_what_is_about_a_namespace_itself(raw: str, expected: bool) -> None:
    target = parse_target(raw.encode())
    assert isinstance(target, Target)
    info = request_info("GET", target)
    assert isinstance(info, RequestInfo)
    assert is_namespace_object(info) == expected


LONG = "a%3Db," * 600


@pytest.mark.parametrize(
    "query",
    [
        f"fieldSelector=metadata.name%3Dx&labelSelector={LONG}",
        f"fieldSelector={LONG}metadata.name%3Dx",
        f"watch=1&fieldSelector=a%3Db,metadata.name!%3Dx&labelSelector={LONG}",
    ],
)
def test_selectors_that_take_long_to_read(query: str) -> None:
    for method in ("GET", "HEAD"):
        refused = ask(method, f"/api/v1/namespaces/a/pods?{query}")
        assert isinstance(refused, Denial)
        assert (REASON_CODES[refused.reason], refused.rule) == (400, "request/selectors")
    for method, path in (("DELETE", "pods"), ("GET", "pods/x")):
        assert isinstance(ask(method, f"/api/v1/namespaces/a/{path}?{query}"), RequestInfo)


@pytest.mark.parametrize(
    "query",
    [f"labelSelector={LONG}", f"fieldSelector={LONG}", f"fieldSelector=a%3Db&labelSelector={LONG}"],
)
def test_long_selectors_that_name_nothing_are_not_read(query: str) -> None:
    found = info("GET", f"/api/v1/namespaces/a/pods?{query}")
    assert (found.verb, found.name) == ("list", "")
