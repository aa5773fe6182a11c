"""tests/oracle holds these proofs against the server's own decoders, in volume."""

import json

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.bodies import Finding, Forbidden, Format, find_forbidden, judge_format
from sidecar.policy.verdict import MAX_BODY_BYTES, REASON_CODES, Body, Denial

BAD = "example.com/bad"
FORBIDDEN = Forbidden((BAD,), lambda text: text == BAD, ((3,), (1, 2)))
PROTOBUF = "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize(
    ("verb", "content_type", "expected"),
    [
        ("create", "", Format.JSON),
        ("create", "application/json", Format.JSON),
        ("update", " Application/JSON ; charset=utf-8", Format.JSON),
        ("update", "application/yaml", Format.YAML),
        ("create", f"{PROTOBUF};type=x", Format.PROTOBUF),
        ("patch", "application/json-patch+json", Format.JSON_PATCH),
        ("patch", "application/merge-patch+json; charset=utf-8", Format.JSON),
        ("patch", "application/strategic-merge-patch+json", Format.JSON),
        ("patch", "application/apply-patch+yaml", Format.YAML),
    ],
)
def test_the_format_is_the_one_that_the_server_would_take(
    verb: str, content_type: str, expected: Format
) -> None:
    assert judge_format(verb, Body(content_type, b"{}")) is expected


@pytest.mark.parametrize(
    ("verb", "body", "code", "why"),
    [
        ("create", Body("application/cbor", b""), 415, "'application/cbor'"),
        ("create", Body("text/plain", b""), 415, "application/json"),
        ("create", Body("application/merge-patch+json", b""), 415, "judged"),
        ("patch", Body("application/apply-patch+cbor", b""), 415, "application/apply-patch+yaml"),
        ("patch", Body("", b""), 415, "judged"),
        # A patch's type is compared as it stands.
        ("patch", Body("Application/merge-patch+json", b""), 415, "judged"),
        ("patch", Body(" application/merge-patch+json", b""), 415, "judged"),
        ("create", Body("application/json", b"", "gzip"), 415, "'gzip'"),
        ("create", Body("application/json", b"", "identity, gzip"), 415, "uncompressed"),
        ("create", Body("application/json", bytes(MAX_BODY_BYTES + 1)), 413, "3145728"),
    ],
)
def test_other_formats_are_refused(verb: str, body: Body, code: int, why: str) -> None:
    refused = judge_format(verb, body)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == code
    assert why in refused.message


def test_a_smaller_limit() -> None:
    refused = judge_format("create", Body("", b"four"), 3)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 413
    assert judge_format("create", Body("", b"four"), 4) is Format.JSON


def test_identity_is_no_encoding() -> None:
    body = Body("application/json", bytes(MAX_BODY_BYTES), "Identity")
    assert judge_format("create", body) is Format.JSON


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", Finding.ABSENT),
        ('{"type": "Opaque"}', Finding.ABSENT),
        ('{"type": "example.com/bad"}', Finding.PRESENT),
        (r'{"type": "example.com\/bad"}', Finding.PRESENT),
        (r'{"type": "\u0065xample.com/bad"}', Finding.PRESENT),
        (r'{"type": "example.com/bad", "type": "Opaque"}', Finding.PRESENT),
        ('{"TYPE": "example.com/bad"}', Finding.PRESENT),
        ('{"a": [{"b": ["example.com/bad"]}]}', Finding.PRESENT),
        ('{"example.com/bad": 1}', Finding.PRESENT),
        # Longer text that mentions it is something else.
        ('{"note": "not example.com/bad"}', Finding.ABSENT),
        (r'{"note": "{\"type\": \"example.com/bad\"}"}', Finding.ABSENT),
        (r'{"a": "\\", "b": "\n"}', Finding.ABSENT),
        (r'{"a": "\ud800"}', Finding.ABSENT),
        (r'{"a": "\x65"}', Finding.MALFORMED),
        (r'{"a": "\u12"}', Finding.MALFORMED),
        ('{"type": "example.com/bad"', Finding.PRESENT),
        # No JSON, which is for the server to say: nothing that it could read says it.
        ("{", Finding.ABSENT),
        ("\\", Finding.ABSENT),
        ('{"a": "b', Finding.ABSENT),
        ('{"a": "\\', Finding.MALFORMED),
        ('{"a": "' + '\\"' * 300_000, Finding.MALFORMED),
        ('["\\n"' + ',""' * 200_000 + "]", Finding.OVERSIZED),
        ("[" * 100_000 + "\\", Finding.ABSENT),
        # They are judged in batches.
        ('["\\n"' + ',""' * 2_000 + "]", Finding.ABSENT),
        ('["\\n", "example.com/bad"' + ',""' * 2_000 + "]", Finding.PRESENT),
    ],
)
def test_json(text: str, finding: Finding) -> None:
    assert find_forbidden(Format.JSON, text.encode(), FORBIDDEN) is finding
    assert find_forbidden(Format.JSON_PATCH, text.encode(), FORBIDDEN) is finding


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("type: Opaque\ndata:\n  a: |\n    b\n", Finding.ABSENT),
        ('{"type": "Opaque", "a": "\\n"}', Finding.ABSENT),
        ('{"type": "example.com/bad"}', Finding.PRESENT),
        (r'{"type": "\u0065xample.com/bad"}', Finding.PRESENT),
        ('{"<<": {"type": "example.com/bad"}}', Finding.PRESENT),
        ("type: example.com/bad", Finding.UNPROVEN),
        ("note: not example.com/bad", Finding.UNPROVEN),
        (r'type: "\x65xample.com/bad"', Finding.UNPROVEN),
        ("type: !!binary ZXhhbXBsZS5jb20vYmFk", Finding.UNPROVEN),
        ("a: b\x00", Finding.UNPROVEN),
        ("\ufeffa: b", Finding.UNPROVEN),
        ("", Finding.ABSENT),
        ('{"a": "\\n"', Finding.UNPROVEN),
        ("[" * 40_000 + "\\", Finding.UNPROVEN),
        ("9" * 5_000 + "\\", Finding.UNPROVEN),
        # Valid, but too much would have to be built to know.
        ('["\\n"' + ",[]" * 30_000 + "]", Finding.UNPROVEN),
    ],
)
def test_yaml(text: str, finding: Finding) -> None:
    assert find_forbidden(Format.YAML, text.encode(), FORBIDDEN) is finding


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
def test_text_that_is_not_utf_8_is_not_read(form: Format) -> None:
    assert find_forbidden(form, b'{"a": "\xff"}', FORBIDDEN) is Finding.MALFORMED


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.mark.parametrize(
    ("message", "finding"),
    [
        (b"", Finding.ABSENT),
        (field(3, b"Opaque"), Finding.ABSENT),
        (field(3, BAD.encode()), Finding.PRESENT),
        (field(3, BAD.encode()) + field(3, b"Opaque"), Finding.PRESENT),
        (field(1, field(2, BAD.encode())), Finding.PRESENT),
        (field(2, BAD.encode()), Finding.ABSENT),
        (field(3, b"\xff"), Finding.ABSENT),
        (b"\x0b", Finding.MALFORMED),
    ],
)
def test_protobuf(message: bytes, finding: Finding) -> None:
    content = b"k8s\x00" + field(2, message)
    assert find_forbidden(Format.PROTOBUF, content, FORBIDDEN) is finding


def test_protobuf_without_an_envelope_is_not_read() -> None:
    assert find_forbidden(Format.PROTOBUF, b"{}", FORBIDDEN) is Finding.MALFORMED


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["before", "after", "instead"]), st.booleans())
def test_the_forbidden_is_found_anywhere(value: object, where: str, ascii_only: bool) -> None:
    members = {"before": [BAD, value], "after": [value, BAD], "instead": {"x": {BAD: value}}}
    text = json.dumps(members[where], ensure_ascii=ascii_only).replace("/", "\\/")
    content = text.encode("utf-8", "replace")
    for form in (Format.JSON, Format.YAML, Format.JSON_PATCH):
        assert find_forbidden(form, content, FORBIDDEN) is Finding.PRESENT
        harmless = content.replace(b"com\\/bad", b"com\\/good")  # and not \udbad
        assert find_forbidden(form, harmless, FORBIDDEN) is Finding.ABSENT
