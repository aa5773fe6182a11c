"""tests/oracle holds what is read here against the server's own decoders, in volume."""

import json

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.object_meta import NAME_UNREADABLE, Meta, read_meta
from sidecar.policy.verdict import REASON_CODES, Body, Denial

PROTOBUF = "application/vnd.kubernetes.protobuf"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
NOTHING = Meta("", "", "", has_owners=False)
UNTOLD = Meta(None, "", "", has_owners=False)
OWNED = Meta("", "", "", has_owners=True)


def read(content_type: str, content: bytes | str, verb: str = "create") -> Meta | Denial:
    if content_type.endswith(("-patch+json", "-patch+yaml")):
        verb = "patch"
    return read_meta(
        verb, Body(content_type, content.encode() if isinstance(content, str) else content)
    )


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "application/yaml", MERGE, STRATEGIC, APPLY]
)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", NOTHING),
        ("null", NOTHING),
        ('{"metadata": null}', NOTHING),
        ('{"metadata": {"name": null, "labels": {"a": "1", "a": "2"}}}', NOTHING),
        ('{"metadata": {"name": "a"}}', NOTHING._replace(name="a")),
        ('{"\\u006detadata": {"n\\u0061me": "\\u0061"}}', NOTHING._replace(name="a")),
        ('{"metadata": {"generateName": "a-"}}', NOTHING._replace(generate_name="a-")),
        ('{"metadata": {"namespace": "b"}, "a": {"name": "c"}}', NOTHING._replace(namespace="b")),
        ('{"metadata": {"uid": "1-2"}}', NOTHING._replace(uid="1-2")),
        ('{"metadata": {"ownerReferences": null}}', NOTHING),
        ('{"metadata": {"ownerReferences": []}}', NOTHING),
        ('{"metadata": {"ownerReferences": [{"uid": "u"}]}}', OWNED),
        ('{"metadata": {"ownerReferences": [{"$patch": "replace"}]}}', OWNED),
        ('{"metadata": {"ownerReferences": {"0": {}}}}', OWNED),
        # A template's owners are its own matter.
        ('{"spec": {"template": {"metadata": {"ownerReferences": [{}]}}}}', NOTHING),
    ],
)  # fmt: skip
def test_objects_and_their_patches(content_type: str, text: str, expected: Meta) -> None:
    assert read(content_type, text) == expected


@pytest.mark.parametrize("content_type", ["application/json", MERGE, STRATEGIC])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"metadata": []}',
        b'{"metadata": "name"}',
        b'{"metadata": {"name": 1}}',
        b'{"metadata": {"uid": 1}}',
        b'{"metadata": {"UID": "1"}}',
        b'{"metadata": {"name": "a", "name": "b"}}',
        b'{"metadata": {"name": "a"}, "metadata": {}}',
        b'{"metadata": {}, "Metadata": {"name": "a"}}',
        b'{"metadata": {"OwnerReferences": [{}]}}',
        b'{"metadata": {"<<": {"name": "a"}}}',
        b'{"metadata": {"name": "a\\ud800"}}',
        b'{"metadata": {"name": "a\\n"}}',
        b'{"metadata": {"generateName": "\\u0000"}}',
        b'{"metadata": {"namespace": "' + b"a" * 254 + b'"}}',
        b'{"metadata": {"name": "\xff"}}',
        b"metadata: {name: a}",
        b"[" * 100_000,
    ],
)
def test_an_object_that_could_be_read_otherwise_is_refused(
    content_type: str, content: bytes
) -> None:
    refused = read(content_type, content)
    assert isinstance(refused, Denial)
    assert (REASON_CODES[refused.reason], refused.rule) == (400, "body/metadata")


def operations(*asked: object) -> str:
    return json.dumps(list(asked))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", UNTOLD),
        (operations({"op": "add", "path": "/metadata/labels/a", "value": "1"}), UNTOLD),
        (operations({"op": "add", "path": "/metadata/ownerReference", "value": []}), UNTOLD),
        (operations({"op": "add", "path": "/spec/metadata/ownerReferences"}), UNTOLD),
        (operations({"op": "remove", "path": "/metadata/ownerReferences"}), UNTOLD),
        (operations({"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": 1}), UNTOLD),
        (operations({"op": "copy", "from": "/metadata/ownerReferences", "path": "/x"}), UNTOLD),
    ],
)
def test_json_patches_without_owners(text: str, expected: Meta) -> None:
    assert read(JSON_PATCH, text) == expected


@pytest.mark.parametrize("op", ["add", "replace", "copy", "move", "REMOVE", ""])
@pytest.mark.parametrize(
    "path",
    [
        "/metadata/ownerReferences",
        "/metadata/ownerReferences/-",
        "/metadata/ownerReferences/0/uid",
        "/metadata/OwnerReferences",
        "/metadata",
        "",
        "metadata",
        # The server reads no further than to the first slash, and passes over what stands there.
        "x/metadata/ownerReferences",
    ],
)
def test_json_patches_that_may_bring_owners(op: str, path: str) -> None:
    patch = operations({"op": "test", "path": "/a"}, {"op": op, "path": path, "from": "/a"})
    assert read(JSON_PATCH, patch) == UNTOLD._replace(has_owners=True)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "null",
        "[1]",
        "[[]]",
        '[{"op": 1}]',
        '[{"op": "add", "path": 1}]',
        '[{"op": "remove", "path": "/a", "path": "/metadata/ownerReferences"}]',
        '[{"op": "remove", "Path": "/a"}]',
    ],
)
def test_a_json_patch_that_could_be_read_otherwise_is_refused(text: str) -> None:
    refused = read(JSON_PATCH, text)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 400


@pytest.mark.parametrize("content_type", ["application/yaml", APPLY])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata:\n  name: a\n", UNTOLD),
        ('metadata: {"annotations": {"note": "none"}}', UNTOLD),
        ("", UNTOLD),
        # JSON as a whole, but too much of it to be parsed.
        ("[" + "[]," * 200_000 + "1]", UNTOLD),
        ("metadata:\n  ownerReferences: []\n", None),
        ('"metadata": {"owner\\\nReferences": []}', None),
        ('{"metadata": {"owner\\x52eferences": []}}', None),
        ("metadata: {!!binary b3duZXJSZWZlcmVuY2Vz: []}", None),
        ('["ownerReferences"' + ",[]" * 200_000 + "]", None),
    ],
)
def test_yaml_is_read_only_where_it_cannot_say_otherwise(
    content_type: str, text: str, expected: Meta | None
) -> None:
    found = read(content_type, text)
    if expected is None:
        assert isinstance(found, Denial)
        assert (REASON_CODES[found.reason], found.rule) == (415, "body/metadata")
        assert "send it as JSON" in found.message
    else:
        assert found == expected


def test_yaml_that_is_not_utf_8_is_refused() -> None:
    refused = read(APPLY, b"a: \xff")
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 400


def test_a_name_that_cannot_be_read_is_asked_for_as_json() -> None:
    assert REASON_CODES[NAME_UNREADABLE.reason] == 415
    assert "send it as JSON" in NAME_UNREADABLE.message


def test_json_that_costs_too_much_is_refused() -> None:
    refused = read("application/json", "[" + "[]," * 200_000)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 413


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        ("create", Body("application/cbor", b""), 415),
        ("patch", Body("application/json", b"{}"), 415),
        ("create", Body("", b"{}", "gzip"), 415),
        ("create", Body("", b"{ }"), 413),
    ],
)
def test_the_format_is_judged_first(verb: str, body: Body, code: int) -> None:
    refused = read_meta(verb, body, 2)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == code


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


NAMED = field(1, field(1, b"a"))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", NOTHING),
        (NAMED, NOTHING._replace(name="a")),
        (field(1, field(2, b"a-") + field(3, b"b")), Meta("", "a-", "b", has_owners=False)),
        (field(1, field(5, b"1-2")), NOTHING._replace(uid="1-2")),
        (field(1, field(13, b"")), OWNED),
        (field(2, field(13, b"")), NOTHING),
        # The server joins the fields of both.
        (field(1, field(13, b"")) + NAMED, OWNED._replace(name="a")),
        (NAMED + NAMED, None),
        (field(1, field(1, b"a") + field(1, b"b")), None),
        (field(1, field(1, b"\xff")), None),
        (field(1, field(1, b"\x00")), None),
        (b"\x0b", None),
    ],
)
def test_protobuf(message: bytes, expected: Meta | None) -> None:
    found = read(PROTOBUF, b"k8s\x00" + field(2, message))
    if expected is None:
        assert isinstance(found, Denial)
        assert REASON_CODES[found.reason] == 400
    else:
        assert found == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.text(), st.text(), json_values, json_values)
def test_what_is_read_is_what_was_written(
    name: str, namespace: str, owners: object, spec: object
) -> None:
    metadata = {"name": name, "namespace": namespace, "ownerReferences": owners}
    text = json.dumps({"spec": spec, "metadata": metadata})
    found = read("application/json", text)
    assert found == read(APPLY, text)
    assert found == Meta(name, "", namespace, bool(owners)) or isinstance(found, Denial)


@given(st.binary(), st.sampled_from(["", PROTOBUF, MERGE, APPLY, JSON_PATCH, "application/yaml"]))
def test_no_body_raises(content: bytes, content_type: str) -> None:
    for whole in (content, b"k8s\x00" + content, b"k8s\x00" + field(2, content[:100])):
        assert isinstance(read(content_type, whole), Meta | Denial)
