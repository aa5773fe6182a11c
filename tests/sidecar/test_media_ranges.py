import pytest

from sidecar.media_ranges import reduce_accepts

PROTOBUF = b"application/vnd.kubernetes.protobuf"
JSON = b"application/json"
TABLES = (
    b"application/json;as=Table;v=v1;g=meta.k8s.io,"
    b"application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.mark.parametrize(
    ("accept", "looked_into", "tagged"),
    [
        ([], JSON, JSON),
        ([b"*/*"], JSON, JSON),
        ([b""], JSON, JSON),
        ([b"application/*;q=0.5"], b"application/json;q=0.5", b"application/json;q=0.5"),
        ([TABLES], TABLES, TABLES),
        # client-go, typed and dynamic
        ([PROTOBUF + b"," + JSON], PROTOBUF + b"," + JSON, JSON),
        ([PROTOBUF + b", */*"], PROTOBUF + b"," + JSON, JSON),
        ([b"Application/JSON ; q=1, " + PROTOBUF], JSON + b"; q=1," + PROTOBUF, JSON + b"; q=1"),
        ([PROTOBUF + b";stream=watch"], PROTOBUF + b";stream=watch", PROTOBUF + b";stream=watch"),
        ([b"application/cbor," + JSON], JSON, JSON),
        ([b"application/cbor-seq, application/yaml, text/plain"], None, None),
        # The API server reads the first line alone.
        ([JSON, b"application/yaml"], JSON, JSON),
        ([b"application/yaml", JSON], None, None),
    ],
)
def test_only_what_can_be_read_is_asked_for(
    accept: list[bytes], looked_into: bytes | None, tagged: bytes | None
) -> None:
    lines = [b"Accept: " + value for value in accept]
    lines += [b"Accept-Encoding: gzip", b"accept-encoding: br", b"X-Other: 1"]
    kept = b"".join(b"\r\n" + line for line in lines)
    for expected, code in ((looked_into, False), (tagged, True)):
        left = b"\r\nX-Other: 1\r\nAccept: " + expected if expected else b""
        assert reduce_accepts(kept, code) == left
