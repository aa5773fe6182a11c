"""Makes request bodies that try to say something forbidden in a way that a guard might not see.

Owns the tricks of each format: escapes, tags, anchors, folding, repeated and odd-cased keys,
over-long varints.
"""

import base64
import json
import random

_HARMLESS = ('"Opaque"', "null", "{}", "[]", "1", "NaN", '["a.example.com"]', '{"a":"b"}')
# The fields that hold a list of what follows on the path.
_LISTS = ("audiences", "ephemeralContainers", "ownerReferences")
_NOISE = (
    b"\x00", b"\xff", b"\\", b'"', b"\n", b" ", b"{", b"}", b",", b"\xc3\xa9", b"\xe2\x80\xa8",
)  # fmt: skip
_OTHER_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
_YAML_STARTS = ("---", "%YAML 1.1\n---", "%TAG !b! tag:yaml.org,2002:\n---", "# comment")


def spell_json(source: random.Random, path: tuple[str, ...], value: str) -> bytes:
    """A JSON object with the value (or a list of it) at the path of keys."""
    text = _json_string(source, value)
    for key in reversed(path):
        if key in _LISTS:
            text = f"[{text}]" if source.random() < 0.8 else f"[{text},{text}]"
        members = [f"{_json_string(source, _cased(source, key))}:{text}"]
        if source.random() < 0.2:
            again = _json_string(source, _cased(source, key))
            members.append(f"{again}:{source.choice(_HARMLESS)}")
        if source.random() < 0.1:
            members.append('"immutable":true')
        source.shuffle(members)
        text = "{" + source.choice((",", " ,\n")).join(members) + "}"
    return _spoil(source, text.encode("utf-8"))


def _cased(source: random.Random, key: str) -> str:
    if source.random() < 0.9:
        return key
    odd = key.upper(), key.title(), key.replace("s", "\u017f"), key.replace("k", "\u212a")
    return source.choice(odd)


def _json_string(source: random.Random, text: str) -> str:
    if source.random() < 0.5:
        return json.dumps(text)
    escaped = "".join(
        f"\\u{ord(char):04x}" if source.random() < 0.2 else json.dumps(char)[1:-1] for char in text
    )
    slash = source.choice(("/", "\\/"))
    return f'"{escaped.replace("/", slash)}"'


def _spoil(source: random.Random, content: bytes) -> bytes:
    """Now and then another encoding, or a byte that does not belong there."""
    chance = source.random()
    if chance < 0.85:
        return content
    if chance < 0.87:
        return b"\xef\xbb\xbf" + content
    if chance < 0.89:
        return content.decode("utf-8").encode(source.choice(_OTHER_ENCODINGS))
    at = source.randrange(len(content) + 1)
    return content[:at] + source.choice(_NOISE) + content[at:]


_PATCH_OPERATIONS = ("add", "add", "add", "replace", "copy", "move", "remove", "test")
_PATCH_PATHS = (
    "/metadata/ownerReferences",
    "/metadata/ownerReferences/-",
    "/metadata/ownerReferences/0",
    "x/metadata/ownerReferences",
    "/metadata",
    "metadata",
    "",
    "/",
    "/metadata/ownerReferences/",
    "/metadata/ownerReferences~0",
    "//metadata/ownerReferences",
    "/metadata/labels",
    "/data",
    "/x",
)


def spell_patch(source: random.Random, _path: tuple[str, ...], value: str) -> bytes:
    """A JSON patch that puts an owner, or an object that has one, at some path."""
    owner = {"uid": value, "name": "a", "kind": "Pod", "apiVersion": "v1"}
    shapes = (
        [owner],
        owner,
        {"ownerReferences": [owner]},
        {"metadata": {"ownerReferences": [owner]}},
    )
    operations = []
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        members = [
            ("op", json.dumps(source.choice(_PATCH_OPERATIONS))),
            ("path", _json_string(source, source.choice(_PATCH_PATHS))),
            ("from", _json_string(source, source.choice(_PATCH_PATHS))),
            ("value", json.dumps(source.choice(shapes))),
        ]
        if source.random() < 0.1:
            members.append(("path", _json_string(source, source.choice(_PATCH_PATHS))))
        source.shuffle(members)
        spelled = (f"{_json_string(source, _cased(source, key))}:{text}" for key, text in members)
        operations.append("{" + ",".join(spelled) + "}")
    first = source.choice(("", '{"op":"add","path":"/metadata/ownerReferences","value":[]},'))
    return _spoil(source, f"[{first}{','.join(operations)}]".encode())


def spell_yaml(source: random.Random, path: tuple[str, ...], value: str) -> bytes:
    """A YAML mapping with the value at the path of keys."""
    if source.random() < 0.1:
        return spell_json(source, path, value)
    lines = [source.choice(_YAML_STARTS)] if source.random() < 0.1 else []
    indent = "  " * len(path)
    scalar = _yaml_scalar(source, value, indent)
    if path[-1] in _LISTS:
        scalar = source.choice((f"[{scalar}]", f"\n{indent}- {scalar}"))
    trick = source.random()
    if trick < 0.15:
        lines.append(f"x: &a {scalar}")
        scalar = "*a"
    elif trick < 0.25:
        lines.append(f"x: &m {{{path[-1]}: {scalar}}}")
    lines += [f"{'  ' * depth}{_yaml_key(source, key)}:" for depth, key in enumerate(path[:-1])]
    inner = "  " * (len(path) - 1)
    if path[-2:-1] and path[-2] in _LISTS:
        inner = f"{inner[2:]}- "
    if 0.15 <= trick < 0.25:
        lines.append(f"{inner}<<: *m")
    elif trick < 0.3:
        key = _yaml_scalar(source, path[-1], indent)
        lines.append(f"{inner}? {key}\n{' ' * len(inner)}: {scalar}")
    else:
        lines.append(f"{inner}{_yaml_key(source, path[-1])}: {scalar}")
    line_end = source.choice(("\n", "\n", "\r\n", "\r"))
    return _spoil(source, line_end.join([*lines, ""]).encode("utf-8"))


def _yaml_key(source: random.Random, key: str) -> str:
    if source.random() < 0.8:
        return key
    return source.choice((f'"{key}"', f"'{key}'", f'"\\x{ord(key[0]):02x}{key[1:]}"'))


def _yaml_scalar(source: random.Random, text: str, indent: str) -> str:
    at = source.randrange(len(text) + 1)
    head, tail = text[:at], text[at:]
    encoded = base64.b64encode(text.encode()).decode()
    escaped = "".join(
        source.choice((f"\\x{ord(char):02x}", f"\\u{ord(char):04x}", char)) for char in text
    )
    return source.choice(
        (
            text,
            f"'{text}'",
            f'"{text}"',
            f'"{escaped}"',
            f'"{head}\\\n{indent}{tail}"',
            f'"{head}\n{indent}{tail}"',
            f"'{head}\n{indent}{tail}'",
            f"{head}\n{indent}{tail}",
            f">-\n{indent}{head}\n{indent}{tail}",
            f"|-\n{indent}{head}{tail}",
            f">\n{indent}{text}",
            f"|2-\n{indent}  {text}",
            f"!!binary {encoded}",
            f"!!binary |\n{indent}{encoded[:5]}\n{indent}{encoded[5:]}",
            f"!!str {text}",
            f"!<tag:yaml.org,2002:binary> {encoded}",
            f"!b!binary {encoded}",
            f"! {text}",
            f"&anchor {text}",
            f'"{head}\u2028{tail}"',
            f'"{head}\u0085{tail}"',
            f"{text} # comment",
            f"{head}#{tail}",
            f"'{head}''{tail}'",
        )
    )


def spell_protobuf(
    source: random.Random, path: tuple[int, ...], value: str, kind: tuple[str, str]
) -> bytes:
    """A Kubernetes protobuf body with the value at the path of field numbers."""
    message = value.encode()
    for number in reversed(path):
        parts = [_field(source, number, message)]
        if source.random() < 0.3:
            parts.append(_field(source, number, source.choice((b"", b"Opaque"))))
        if source.random() < 0.2:
            parts.append(_noise(source))
        source.shuffle(parts)
        message = b"".join(parts)
    type_meta = _field(source, 1, kind[0].encode()) + _field(source, 2, kind[1].encode())
    envelope = [_field(source, 1, type_meta), _field(source, 2, message)]
    if source.random() < 0.1:
        extra = source.choice((b"", b"gzip", b"application/json"))
        envelope.append(_field(source, source.choice((2, 3, 4)), extra))
    if source.random() < 0.1:
        source.shuffle(envelope)
    content = b"k8s\x00" + b"".join(envelope)
    return content[: source.randrange(len(content))] if source.random() < 0.05 else content


def _noise(source: random.Random) -> bytes:
    tag = source.randrange(1, 40) << 3
    return source.choice(
        (
            _varint(source, tag) + _varint(source, source.getrandbits(40)),
            _varint(source, tag | 1) + bytes(8),
            _varint(source, tag | 5) + bytes(4),
            _varint(source, tag | 3) + _varint(source, tag | 4),
            _field(source, tag >> 3, b"noise"),
            _varint(source, tag | 6),
            b"\x00",
        )
    )


def _field(source: random.Random, number: int, content: bytes) -> bytes:
    tag = number << 3 | 2
    if source.random() < 0.03:
        tag |= 1 << source.choice((35, 36, 40, 63))
    return _varint(source, tag) + _varint(source, len(content)) + content


def _varint(source: random.Random, value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    if source.random() < 0.05:
        written[-1] |= 0x80
        written += bytes([0x80] * source.randrange(4)) + b"\x00"
    return bytes(written)
