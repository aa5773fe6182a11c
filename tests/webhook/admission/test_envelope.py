"""What a review's first bytes tell, and what cannot pretend to be them."""

import json

import pytest

from tests.webhook.admission.scene import make_pod, make_review
from webhook.admission.envelope import START_BYTES, Envelope, read_envelope

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


def write_as_the_api_server(name: str, namespace: str = "team-a") -> bytes:
    """Go writes a struct's fields in their order, and escapes quotes."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    request = {
        "uid": UID, "kind": kind, "resource": resource, "requestKind": kind,
        "requestResource": resource, "name": name, "namespace": namespace, "operation": "CREATE",
        "userInfo": {"username": "eve", "extra": {"namespace": ["victim"]}},
        "object": {"metadata": {"namespace": "victim", "uid": "x"}},
    }  # fmt: skip
    document = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(document, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", ["", "web-0", 'x","namespace":"victim', "x" * 253, "é" * 100])
def test_read(name: str) -> None:
    assert read_envelope(write_as_the_api_server(name)) == Envelope(UID, "team-a")


def test_written_with_spaces() -> None:
    assert read_envelope(make_review(make_pod())) == Envelope(UID, "team-a")


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"", Envelope("", "")),
        (b'{"request":{"uid":7,"namespace":null}}', Envelope("", "")),
        (b'{"uid":"","namespace":"A"}', Envelope("", "")),
        (b'{"uid":"a\\"b","namespace":"' + b"a" * 64 + b'"}', Envelope("", "")),
        (b'{"uid":"\xff","namespace":"a"}', Envelope("\ufffd", "a")),
        (b" " * START_BYTES + b'"uid":"a","namespace":"a"', Envelope("", "")),
    ],
)
def test_what_does_not_say(start: bytes, found: Envelope) -> None:
    assert read_envelope(start) == found
