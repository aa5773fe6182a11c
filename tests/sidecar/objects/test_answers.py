import pytest

from sidecar.objects import Inspection, TransformError, open_transform
from sidecar.objects.json_stream import JsonAnswer, JsonWatch
from sidecar.objects.protobuf_stream import ProtobufAnswer, ProtobufWatch


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
