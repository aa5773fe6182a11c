import json
from typing import Any

import pytest

from sidecar.objects.requests import untag_body
from sidecar.policy.verdict import MAX_BODY_BYTES, Body
from sidecar.versions import ForeignVersion
from tests.sidecar.objects.messages import (
    MAGIC,
    an_object,
    envelope,
    field,
    integer,
    object_meta,
)

JSON = "application/json"
PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def untag(verb: str, media: str, content: bytes | object, code: int = 7421) -> bytes:
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return untag_body(verb, Body(media, content, ""), code)


def a_version(version: str) -> dict[str, Any]:
    return {"metadata": {"name": "ü", "resourceVersion": version}, "spec": {"resourceVersion": "1"}}


def a_deletion(version: str) -> dict[str, Any]:
    return {"kind": "DeleteOptions", "preconditions": {"uid": "u", "resourceVersion": version}}


def an_eviction(version: str) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "deleteOptions": a_deletion(version)}


def a_patch(path: str, value: Any) -> list[dict[str, Any]]:
    return [
        {"op": "add", "path": "/spec/resourceVersion", "value": "1"},
        {"op": "test", "path": path, "value": value},
    ]


def a_version_patch(version: str) -> Any:
    return a_patch("/metadata/resourceVersion", version)


def a_metadata_patch(version: str) -> Any:
    return a_patch("/metadata", {"resourceVersion": version})


def an_object_patch(version: str) -> Any:
    return a_patch("", a_version(version))


def an_object_message(version: str) -> bytes:
    return envelope(an_object(version=version))


def a_deletion_message(version: str) -> bytes:
    return envelope(options_message(version.encode()), "DeleteOptions")


def an_eviction_message(version: str) -> bytes:
    return envelope(eviction_message(version.encode()), "Eviction", "policy/v1")


def options_message(version: bytes) -> bytes:
    return integer(1, 30) + field(2, field(1, b"uid") + field(2, version)) + field(4, b"x")


def eviction_message(version: bytes) -> bytes:
    return field(1, object_meta(version=None)) + field(2, options_message(version))


@pytest.mark.parametrize(
    ("verb", "media", "build"),
    [
        ("update", JSON, a_version),
        ("create", JSON, a_version),
        ("patch", MERGE, a_version),
        ("patch", STRATEGIC, a_version),
        ("patch", APPLY, a_version),
        ("update", YAML, a_version),
        ("delete", JSON, a_deletion),
        ("deletecollection", JSON, a_deletion),
        ("create", JSON, an_eviction),
        ("patch", PATCH, a_version_patch),
        ("patch", PATCH, a_metadata_patch),
        ("patch", PATCH, an_object_patch),
        ("update", PROTOBUF, an_object_message),
        ("delete", PROTOBUF, a_deletion_message),
        ("create", PROTOBUF, an_eviction_message),
    ],
)
def test_the_members_own_version_goes_up(verb: str, media: str, build: Any) -> None:
    def render(version: str) -> bytes:
        built = build(version)
        return built if isinstance(built, bytes) else json.dumps(built, indent=1).encode()

    assert untag(verb, media, render("57421")) == render("5")
    for version in ("", "0"):
        assert untag(verb, media, render(version)) == render(version)
    for version, code in (("58123", 8123), ("5", None), ("x", None)):
        with pytest.raises(ForeignVersion) as caught:
            untag(verb, media, render(version))
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("verb", "media", "content"),
    [
        ("delete", "", b""),
        ("update", JSON, {"metadata": {"name": "a"}}),
        ("update", JSON, {"metadata": {"resourceVersion": None}}),
        ("update", JSON, {"metadata": None, "preconditions": {"resourceVersion": "5"}}),
        ("update", JSON, {}),
        ("delete", JSON, {"metadata": {"resourceVersion": "5"}, "preconditions": {"uid": "u"}}),
        ("patch", MERGE, {"spec": {"metadata": {"resourceVersion": "5"}}}),
        ("patch", PATCH, []),
        ("patch", PATCH, b" [ ] "),
        ("patch", PATCH, a_patch("/metadata/labels", {"resourceVersion": "5"})),
        ("patch", PATCH, [{"op": "remove", "path": "/metadata/resourceVersion"}]),
        ("patch", PATCH, a_patch("/metadata", None)),
        ("patch", APPLY, b"metadata:\n  name: a\n"),
        ("update", YAML, b"metadata: {name: a}\n"),
        ("update", PROTOBUF, envelope(an_object(version=None))),
        ("update", PROTOBUF, envelope(field(2, b""))),
        ("delete", PROTOBUF, envelope(integer(1, 30), "DeleteOptions")),
    ],
)
def test_what_names_no_version_goes_up_as_it_is(
    verb: str, media: str, content: bytes | object
) -> None:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert untag(verb, media, raw) == raw


@pytest.mark.parametrize(
    ("verb", "media", "content"),
    [
        ("update", JSON, b"{"),
        ("update", JSON, b"[]"),
        ("update", JSON, b"{} x"),
        ("update", JSON, b"{}{}"),
        ("update", JSON, b"\xff{}"),
        ("update", JSON, b'{"metadata":{"resourceVersion":5}}'),
        ("update", JSON, b'{"metadata":{},"metadata":{"resourceVersion":"57421"}}'),
        ("update", JSON, b'{"Metadata":{"resourceVersion":"57421"}}'),
        ("update", JSON, b'{"a":' + b"[" * 100_000),
        ("update", JSON, b'{"a":[' + b"[]," * 200_000 + b"0]}"),
        ("update", JSON, b'{"a":"' + b"a" * MAX_BODY_BYTES + b'"}'),
        ("update", "text/plain", b"{}"),
        ("patch", PATCH, b"{}"),
        ("patch", PATCH, b""" {"op":"test"}"""),
        ("patch", PATCH, b", {}"),
        ("patch", PATCH, b"[{}"),
        ("patch", PATCH, b"[{},"),
        ("patch", PATCH, b"[{}] x"),
        ("patch", PATCH, b"[{}][{}]"),
        ("patch", PATCH, b"[1]"),
        ("patch", PATCH, b'[{"path":5}]'),
        ("patch", PATCH, b"[" + b"{}," * 10_001 + b"{}]"),
        ("patch", APPLY, b"metadata: {resourceVersion: '5'}"),
        ("patch", APPLY, b'"metadata": {"resource\\u0056ersion": "5"}'),
        ("update", YAML, b"metadata: {!!binary cmVzb3VyY2VWZXJzaW9u: '5'}"),
        ("update", PROTOBUF, b"JUNK" + an_object()),
        ("update", PROTOBUF, MAGIC),
        ("update", PROTOBUF, envelope(field(1, object_meta()) * 2)),
        ("update", PROTOBUF, envelope(field(1, object_meta() + field(6, b"7")))),
        ("update", PROTOBUF, envelope(b"\xff")),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused(verb: str, media: str, content: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        untag(verb, media, content)
    assert not isinstance(caught.value, ForeignVersion)


def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(ValueError, match="gzip"):
        untag_body("update", Body(JSON, b"{}", "gzip"), 7421)
