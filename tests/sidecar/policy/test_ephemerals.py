import json

import pytest

from sidecar.policy.bodies import Finding, Format
from sidecar.policy.ephemerals import finds_sidecar


def pod(container: dict[str, object], key: str = "ephemeralContainers") -> str:
    """A whole pod, whose other parts name the sidecar rightly."""
    sidecar = {"name": "mca", "volumeMounts": [{"name": "mca-identity"}]}
    volumes = [{"name": "mca-identity"}]
    return json.dumps({"spec": {"initContainers": [sidecar], "volumes": volumes, key: [container]}})


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (pod({"name": "debug", "targetContainerName": "app"}), Finding.ABSENT),
        (pod({"name": "debug", "image": "example.com/mca/x"}), Finding.ABSENT),
        (pod({"name": "debug", "targetContainerName": "mca"}), Finding.PRESENT),
        (pod({"name": "mca-debug"}), Finding.PRESENT),
        (pod({"name": "x", "volumeMounts": [{"name": "mca-identity"}]}), Finding.PRESENT),
        (pod({"name": "x", "volumeDevices": [{"name": "mca-identity"}]}), Finding.PRESENT),
        (pod({"name": "mca"}, "EphemeralContainers"), Finding.PRESENT),
        (pod({"mca": "x"}), Finding.PRESENT),
        (
            '{"spec": {"ephemeralContainers": [{"name": "mca"}], "ephemeralContainers": []}}',
            Finding.PRESENT,
        ),
        (r'{"ephemeralContainers": [{"name": "\u006dca"}]}', Finding.PRESENT),
        ("{}", Finding.ABSENT),
        ("null", Finding.ABSENT),
    ],
)
def test_only_what_stands_under_ephemeral_containers_counts(text: str, finding: Finding) -> None:
    assert finds_sidecar(Format.JSON, text.encode()) is finding
    assert finds_sidecar(Format.YAML, text.encode()) is finding


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000])
def test_what_is_not_json_is_not_read(content: bytes) -> None:
    assert finds_sidecar(Format.JSON, content) is Finding.MALFORMED
    assert finds_sidecar(Format.JSON_PATCH, content) is Finding.MALFORMED


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("spec:\n  ephemeralContainers:\n  - name: debug\n", Finding.ABSENT),
        ("spec:\n  ephemeralContainers:\n  - name: mca\n", Finding.UNPROVEN),
        ('spec: {ephemeralContainers: [{name: "m\\x63a"}]}', Finding.UNPROVEN),
        ("spec: {ephemeralContainers: [{name: !!binary bWNh}]}", Finding.UNPROVEN),
        ("a: b\x00", Finding.UNPROVEN),
    ],
)
def test_yaml(text: str, finding: Finding) -> None:
    assert finds_sidecar(Format.YAML, text.encode()) is finding


@pytest.mark.parametrize(
    ("operations", "finding"),
    [
        (
            [{"op": "add", "path": "/spec/ephemeralContainers/-", "value": {"name": "d"}}],
            Finding.ABSENT,
        ),
        (
            [{"op": "add", "path": "/spec/ephemeralContainers/-", "value": {"name": "mca"}}],
            Finding.PRESENT,
        ),
        ([{"op": "replace", "path": "/spec", "value": {"x": "mca-identity"}}], Finding.PRESENT),
        # These bring a name in without spelling it.
        ([{"op": "copy", "from": "/spec/volumes/0/name", "path": "/x"}], Finding.PRESENT),
        ([{"op": "move", "from": "/spec/volumes/0/name", "path": "/x"}], Finding.PRESENT),
        ([], Finding.ABSENT),
    ],
)
def test_json_patches(operations: list[object], finding: Finding) -> None:
    assert finds_sidecar(Format.JSON_PATCH, json.dumps(operations).encode()) is finding


def field(number: int, content: bytes) -> bytes:
    tag = (
        bytes([number << 3 & 0x7F | 2 | 0x80, number >> 4])
        if number > 15
        else bytes([number << 3 | 2])
    )
    return tag + bytes([len(content)]) + content


@pytest.mark.parametrize(
    ("spec", "finding"),
    [
        (field(34, field(1, field(1, b"debug")) + field(2, b"app")), Finding.ABSENT),
        (field(34, field(1, field(1, b"debug")) + field(2, b"mca")), Finding.PRESENT),
        (field(34, field(1, field(9, field(1, b"mca-identity")))), Finding.PRESENT),
        (field(2, field(1, b"mca")), Finding.ABSENT),
        (b"\x0b", Finding.MALFORMED),
    ],
)
def test_protobuf(spec: bytes, finding: Finding) -> None:
    content = b"k8s\x00" + field(2, field(2, spec))
    assert finds_sidecar(Format.PROTOBUF, content) is finding
