import json

import pytest

from sidecar.objects import Inspection, TransformError, open_transform
from sidecar.objects.json_stream import JsonAnswer, JsonWatch
from sidecar.objects.protobuf_stream import ProtobufAnswer, ProtobufWatch
from tests.sidecar.objects.messages import a_list, envelope


@pytest.mark.parametrize(
    ("content_type", "watch", "expected"),
    [
        (b"application/json", False, JsonAnswer),
        (b"Application/JSON ; charset=utf-8", False, JsonAnswer),
        (b"application/json;stream=watch", True, JsonWatch),
        (b"application/vnd.kubernetes.protobuf", False, ProtobufAnswer),
        (b"application/vnd.kubernetes.protobuf;stream=watch", True, ProtobufWatch),
    ],
)
def test_the_media_type_chooses(content_type: bytes, watch: bool, expected: type) -> None:
    assert type(open_transform(content_type, Inspection("team-a", None, watch))) is expected


@pytest.mark.parametrize(
    "content_type",
    [b"", b"text/plain", b"application/cbor", b"application/yaml", b"application/json-patch+json",
     b"application/apply-patch+yaml"],
)  # fmt: skip
def test_what_cannot_be_read_is_not_passed_on(content_type: bytes) -> None:
    with pytest.raises(TransformError, match="media type"):
        open_transform(content_type, Inspection("team-a"))


_FORGED = (
    'x"},"items":[{"metadata":{"namespace":"kube-system","name":"evil","resourceVersion":"9"}}],'
    '"z":{"a":"'
)


@pytest.mark.parametrize("token", [_FORGED, '"', "\\", "\n", "\u1234", "\x00", "a" * 9000])
def test_a_continue_token_brings_nothing_else_along(token: str) -> None:
    """A hostile member's token stands between quotes of ours: it must not end them."""
    metadata = {"resourceVersion": "5", "continue": token}
    answers = {
        b"application/json": {"kind": "ConfigMapList", "items": [], "metadata": metadata},
        b"application/json;stream=watch": {
            "type": "BOOKMARK",
            "object": {"kind": "ConfigMap", "metadata": metadata},
        },
    }
    for content_type, answer in answers.items():
        inspection = Inspection("team-a", 7421, b"watch" in content_type)
        text = json.dumps(answer, separators=(",", ":")) + "\n"
        with pytest.raises(TransformError, match="continue token"):
            pass_all(content_type, inspection, text.encode())
    message = envelope(a_list(token=token), "ConfigMapList")
    with pytest.raises(TransformError, match="continue token"):
        pass_all(b"application/vnd.kubernetes.protobuf", Inspection("team-a", 7421), message)


def pass_all(content_type: bytes, inspection: Inspection, content: bytes) -> bytes:
    transform = open_transform(content_type, inspection)
    return transform.feed(content) + transform.finish()
