"""Protobuf messages of the API, written for tests as Go's generated code writes them."""

MAGIC = b"k8s\x00"


def number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


def field(place: int, content: bytes) -> bytes:
    return number(place << 3 | 2) + number(len(content)) + content


def integer(place: int, value: int) -> bytes:
    return number(place << 3) + number(value)


def object_meta(
    namespace: str | None = "team-a", version: str | None = "5", name: str = "a"
) -> bytes:
    out = field(1, name.encode()) + field(2, b"")
    if namespace is not None:
        out += field(3, namespace.encode())
    out += field(4, b"") + field(5, b"uid")
    if version is not None:
        out += field(6, version.encode())
    # generation, creationTimestamp, a label
    return (
        out
        + integer(7, 300)
        + field(8, integer(1, 1_800_000_000))
        + field(11, field(1, b"a") + field(2, b"b"))
    )


def an_object(
    namespace: str | None = "team-a", version: str | None = "5", spec: bytes = b"\x08\x01"
) -> bytes:
    return field(1, object_meta(namespace, version)) + field(2, spec) + field(3, b"")


def list_meta(version: str = "9", token: str = "") -> bytes:
    return field(1, b"") + field(2, version.encode()) + field(3, token.encode())


def a_list(*items: bytes, version: str = "9", token: str = "") -> bytes:
    inner = b"".join(field(2, item) for item in items)
    return field(1, list_meta(version, token)) + inner


def a_status() -> bytes:
    return field(1, list_meta("", "")) + field(2, b"Success") + integer(6, 200)


def envelope(message: bytes, kind: str = "Pod", api_version: str = "v1") -> bytes:
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return MAGIC + field(1, type_meta) + field(2, message) + field(3, b"") + field(4, b"")


def event(kind: str, content: bytes) -> bytes:
    out = field(1, kind.encode()) + field(2, field(1, content))
    return len(out).to_bytes(4, "big") + out
