"""What kubectl sends and the API server answers is recorded anew in each run."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.reviews import (
    REVIEW_BYTES,
    Access,
    read_access,
    read_rules_namespace,
    refuse_access,
)
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import REASON_CODES, Body, Denial
from tests.controlplane import ControlPlane

PROTOBUF = "application/vnd.kubernetes.protobuf"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
LIST_PODS = {"verb": "list", "version": "v1", "resource": "pods", "namespace": "team-a"}


def review(spec: object) -> Body:
    return Body("application/json", json.dumps({"spec": spec}).encode())


def read(spec: object) -> Access:
    access = read_access(review(spec))
    assert isinstance(access, Access)
    return access


def ask(**attributes: str) -> Access:
    return read({"resourceAttributes": attributes})


def info_of(method: str, target: str) -> RequestInfo:
    parsed = parse_target(target.encode())
    assert isinstance(parsed, Target)
    info = request_info(method, parsed)
    assert isinstance(info, RequestInfo)
    return info


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def in_protobuf(message: bytes) -> Body:
    return Body(PROTOBUF, b"k8s\x00" + field(2, message))


@pytest.mark.parametrize(
    ("attributes", "call"),
    [
        (LIST_PODS, ("GET", "/api/v1/namespaces/team-a/pods")),
        ({**LIST_PODS, "verb": "watch"}, ("GET", "/api/v1/namespaces/team-a/pods?watch=1")),
        ({**LIST_PODS, "verb": "get", "name": "a"}, ("GET", "/api/v1/namespaces/team-a/pods/a")),
        (
            {**LIST_PODS, "verb": "create", "subresource": "exec", "name": "a"},
            ("POST", "/api/v1/namespaces/team-a/pods/a/exec"),
        ),
        # As the authorizers of the server join them.
        (
            {**LIST_PODS, "verb": "get", "resource": "pods/exec", "name": "a"},
            ("GET", "/api/v1/namespaces/team-a/pods/a/exec"),
        ),
        (
            {"verb": "deletecollection", "group": "apps", "version": "v1", "resource": "x"},
            ("DELETE", "/apis/apps/v1/x"),
        ),
        (
            {"verb": "get", "version": "v1", "resource": "namespaces", "name": "b"},
            ("GET", "/api/v1/namespaces/b"),
        ),
        # kubectl sends the namespace of its context for what has none.
        (
            {"verb": "list", "version": "v1", "resource": "namespaces", "namespace": "b"},
            ("GET", "/api/v1/namespaces"),
        ),
    ],
)
def test_it_is_judged_as_the_call_itself(attributes: dict[str, str], call: tuple[str, str]) -> None:
    expected = info_of(*call)
    found = ask(**attributes).info
    assert found == expected._replace(path="", long_running=False)
    assert found.judged_verb == expected.judged_verb


def test_a_path() -> None:
    access = read({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}})
    assert access.info == info_of("GET", "/metrics")
    assert access.path == "/metrics"


@pytest.mark.parametrize(
    ("spec", "asks_all"),
    [
        ({"resourceAttributes": LIST_PODS}, False),
        ({"resourceAttributes": {**LIST_PODS, "version": "*", "name": "*"}}, False),
        ({"resourceAttributes": {**LIST_PODS, "verb": "*"}}, True),
        ({"resourceAttributes": {**LIST_PODS, "group": "*"}}, True),
        ({"resourceAttributes": {**LIST_PODS, "resource": "*"}}, True),
        ({"resourceAttributes": {**LIST_PODS, "resource": "*/scale"}}, True),
        ({"resourceAttributes": {**LIST_PODS, "subresource": "*"}}, True),
        ({"nonResourceAttributes": {"path": "/api", "verb": "get"}}, False),
        ({"nonResourceAttributes": {"path": "/api/*", "verb": "get"}}, True),
        ({"nonResourceAttributes": {"path": "/api", "verb": "*"}}, True),
    ],
)
def test_asking_for_many_things_at_once(spec: object, asks_all: bool) -> None:
    assert read(spec).asks_all is asks_all


SELECTORS = {
    "fieldSelector": {"rawSelector": "a=b"},
    "labelSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b", "c"]}, {}]},
}


def test_both_languages_say_the_same() -> None:
    requirement = field(1, b"a") + field(2, b"In") + field(3, b"b") + field(3, b"c")
    attributes = b"".join(
        (
            field(1, b"team-a"),
            field(2, b"list"),
            field(3, b""),
            field(4, b"v1"),
            field(5, b"pods"),
            field(8, field(1, b"a=b")),
            field(9, field(2, requirement) + field(2, b"")),
        )
    )
    expected = read({"resourceAttributes": {**LIST_PODS, **SELECTORS, "group": "", "name": None}})
    assert read_access(in_protobuf(field(1, b"") + field(2, field(1, attributes)))) == expected
    assert expected.spec == {"resourceAttributes": {**LIST_PODS, **SELECTORS}}
    path = field(2, field(2, field(1, b"/x") + field(2, b"get")))
    expected = read({"nonResourceAttributes": {"path": "/x", "verb": "get"}})
    assert read_access(in_protobuf(path)) == expected


def test_json_may_call_itself_yaml() -> None:
    body = review({"resourceAttributes": LIST_PODS})
    assert read_access(body._replace(content_type="application/yaml")) == ask(**LIST_PODS)
    assert read_access(body._replace(content_type="")) == ask(**LIST_PODS)


def spec_of(text: str) -> Body:
    return Body("application/json", f'{{"spec": {text}}}'.encode())


@pytest.mark.parametrize(
    "body",
    [
        Body("application/json", b""),
        Body("application/json", b"\xff"),
        Body("application/json", b"[" * 60_000),
        Body("application/json", b"[]"),
        Body("application/json", b"{}"),
        Body("application/json", b'{"Spec": {}}'),
        spec_of("{}"),
        spec_of('{"resourceAttributes": null}'),
        spec_of('{"resourceAttributes": []}'),
        spec_of('{"resourceAttributes": {}, "nonResourceAttributes": {"path": "/"}}'),
        spec_of('{"nonResourceAttributes": {"verb": "get"}}'),
        spec_of('{"resourceAttributes": {"verb": 1}}'),
        spec_of('{"resourceAttributes": {"verb": "get\\n"}}'),
        spec_of('{"resourceAttributes": {"verb": "list", "verb": "get"}}'),
        spec_of('{"resourceAttributes": {"verb": "list", "Verb": "get"}}'),
        spec_of('{"resourceAttributes": {"resource": "pods/exec", "subresource": "log"}}'),
        spec_of('{"resourceAttributes": {"fieldSelector": {"requirements": {}}}}'),
        spec_of('{"resourceAttributes": {"fieldSelector": {"requirements": [1]}}}'),
        Body(PROTOBUF, b"{}"),
        in_protobuf(b"\x0b"),
        in_protobuf(b""),
        in_protobuf(field(2, field(1, b"")) + field(2, b"")),
        in_protobuf(field(2, field(1, field(2, b"get") + field(2, b"list")))),
        in_protobuf(field(2, field(1, field(2, b"\xff")))),
        in_protobuf(field(2, field(1, b"") + field(2, field(1, b"/")))),
    ],
)
def test_a_review_that_could_be_read_otherwise_is_refused(body: Body) -> None:
    refused = read_access(body)
    assert isinstance(refused, Denial)
    assert (REASON_CODES[refused.reason], refused.rule) == (400, "body/review")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (Body("application/yaml", b"spec:\n  resourceAttributes: {verb: get}\n"), 415),
        (Body("application/cbor", b""), 415),
        (Body("", bytes(REVIEW_BYTES + 1)), 413),
    ],
)
def test_other_formats_are_refused(body: Body, code: int) -> None:
    for refused in (read_access(body), read_rules_namespace(body)):
        assert isinstance(refused, Denial)
        assert REASON_CODES[refused.reason] == code


@pytest.mark.parametrize(
    ("body", "namespace"),
    [
        (review({"namespace": "team-a"}), "team-a"),
        (review({}), ""),
        (review(None), ""),
        (in_protobuf(field(1, b"") + field(2, field(1, b"team-a")) + field(3, b"")), "team-a"),
        (in_protobuf(b""), ""),
    ],
)
def test_the_namespace_of_a_rules_review(body: Body, namespace: str) -> None:
    assert read_rules_namespace(body) == namespace


def test_the_refusal() -> None:
    access = ask(**LIST_PODS)
    answer = refuse_access(access, "permission/no-pods", "no “pods” for you")
    assert (answer.rule, answer.code) == ("permission/no-pods", 201)
    assert json.loads(answer.content) == {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {"resourceAttributes": LIST_PODS},
        "status": {
            "allowed": False,
            "denied": True,
            "reason": "no “pods” for you (permission/no-pods)",
        },
    }


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    return [shape(member) for member in value] if isinstance(value, list) else type(value)


def test_it_has_the_shape_of_the_servers_own(control_plane: ControlPlane) -> None:
    asked = {"resourceAttributes": {**LIST_PODS, **SELECTORS}}
    asked["resourceAttributes"]["labelSelector"] = {"rawSelector": "a in (b)"}
    body = review(asked)
    document = {**json.loads(body.content), "kind": "SelfSubjectAccessReview"}
    document["apiVersion"] = "authorization.k8s.io/v1"
    control_plane.create_service_account("reviews", "nobody")
    token = control_plane.token("reviews", "nobody")
    theirs = control_plane.request("POST", REVIEWS, body=document, token=token)
    access = read_access(body)
    assert isinstance(access, Access)
    answer = refuse_access(access, "rule", "why")
    assert answer.code == theirs.status
    expected = theirs.json()
    ours = json.loads(answer.content)
    assert ours["spec"] == expected["spec"]
    assert expected["status"].pop("allowed") is ours["status"].pop("allowed") is False
    del expected["metadata"]["managedFields"]
    for document in (expected, ours):
        del document["status"]
    assert shape(ours) == shape(expected)


@given(st.binary(), st.sampled_from(["", PROTOBUF, "application/yaml"]))
def test_no_body_raises(content: bytes, content_type: str) -> None:
    wrapped = b"k8s\x00" + field(2, field(2, field(1, content[:40])))
    for whole in (content, wrapped, b'{"spec":{"resourceAttributes":' + content + b"}}"):
        body = Body(content_type, whole)
        assert isinstance(read_access(body), Access | Denial)
        assert isinstance(read_rules_namespace(body), str | Denial)


@given(st.dictionaries(st.sampled_from(["verb", "group", "resource", "name"]), st.text()))
def test_what_is_read_is_what_was_written(attributes: dict[str, str]) -> None:
    access = read_access(review({"resourceAttributes": attributes}))
    if isinstance(access, Access):
        echoed = access.spec["resourceAttributes"]
        assert echoed == {key: value for key, value in attributes.items() if value}
        combined = f"{access.resource}/{access.subresource}".rstrip("/")
        assert combined == attributes.get("resource", "").rstrip("/")
