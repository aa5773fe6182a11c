import json

import pytest

from sidecar.policy.index import ObjectName
from sidecar.policy.verdict import Body, Denial, NeedBody
from sidecar.policy.written_objects import (
    creates,
    is_named_by_body,
    judge_owners,
    may_create,
    name_of_body,
)
from tests.sidecar.policy.calls import call

PODS = "/api/v1/namespaces/a/pods"
CREATE = call("POST", PODS)


def body(meta: dict[str, object], media_type: str = "application/json") -> Body:
    return Body(media_type, json.dumps({"metadata": meta}).encode())


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", PODS, True),
        ("POST", f"{PODS}/b/eviction", False),
        ("POST", f"{PODS}/b", False),
        ("PUT", f"{PODS}/b", False),
        ("PATCH", f"{PODS}/b", False),
        ("DELETE", PODS, False),
        ("GET", PODS, False),
    ],
)
def test_whose_name_stands_in_the_body(method: str, path: str, expected: bool) -> None:
    assert is_named_by_body(call(method, path)) == expected


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"name": "b"}, ObjectName("b")),
        ({"generateName": "b-"}, ObjectName("", "b-")),
        ({"name": "b", "generateName": "c-"}, ObjectName("b")),
        ({}, ObjectName()),
    ],
)
def test_names(meta: dict[str, object], expected: ObjectName) -> None:
    assert name_of_body(CREATE, None) == NeedBody()
    assert name_of_body(CREATE, body(meta)) == expected


@pytest.mark.parametrize(
    "unread",
    [
        Body("text/plain", b"{}"),
        Body("application/json", b'{"metadata":{"name":"a","name":"b"}}'),
        Body("application/yaml", b"metadata:\n  name: b\n"),
    ],
)
def test_names_that_cannot_be_read(unread: Body) -> None:
    assert isinstance(name_of_body(CREATE, unread), Denial)


OWNED = body({"ownerReferences": [{"uid": "1"}]})
PATCHED = OWNED._replace(content_type="application/merge-patch+json")


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", PODS, OWNED),
        ("PUT", f"{PODS}/b", OWNED),
        ("PUT", f"{PODS}/b/status", OWNED),
        ("PATCH", f"{PODS}/b", PATCHED),
        ("PATCH", f"{PODS}/b", PATCHED._replace(content_type="application/apply-patch+yaml")),
    ],
)
def test_owners_are_refused(method: str, path: str, content: Body) -> None:
    info = call(method, path)
    assert judge_owners(info, None) == NeedBody()
    refused = judge_owners(info, content)
    assert isinstance(refused, Denial)
    assert refused.rule == "route/owner-references"
    assert judge_owners(info, content._replace(content=b"{}")) is None
    assert judge_owners(info, content._replace(content=b"")) is None
    assert isinstance(judge_owners(info, Body("text/plain", b"x")), Denial)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{PODS}/b"),
        ("DELETE", f"{PODS}/b"),
        ("DELETE", PODS),
        ("POST", f"{PODS}/b/eviction"),
        ("POST", f"{PODS}/b/binding"),
        ("POST", f"{PODS}/b/exec"),
        ("GET", f"{PODS}/b/exec"),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token"),
    ],
)
def test_what_keeps_no_owners(method: str, path: str) -> None:
    assert judge_owners(call(method, path), None) is None


LEASES = "/apis/coordination.k8s.io/v1/namespaces/a/leases"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PATCH", f"{PODS}/b", True),
        ("PATCH", f"{PODS}/b/status", False),
        ("PUT", f"{PODS}/b", False),
        ("PUT", f"{LEASES}/b", True),
        ("PUT", "/api/v1/namespaces/a/services/b", True),
        ("PUT", "/api/v1/namespaces/a/services/b/status", False),
        ("DELETE", f"{LEASES}/b", False),
    ],
)
def test_what_may_create(method: str, path: str, expected: bool) -> None:
    assert may_create(call(method, path)) == expected


def test_patches_that_create() -> None:
    info = call("PATCH", f"{PODS}/b")
    assert creates(info, Body(" Application/Apply-Patch+yaml; charset=utf-8", b"")) is True
    assert creates(info, Body("application/merge-patch+json", b"")) is False


def test_updates_that_create() -> None:
    info = call("PUT", f"{LEASES}/b")
    assert creates(info, body({"name": "b", "resourceVersion": "5"})) is True
    assert creates(info, body({"name": "b", "uid": ""})) is True
    assert creates(info, body({"name": "b", "uid": "1"})) is False
    assert isinstance(creates(info, Body("text/plain", b"")), Denial)
