"""JSON that a real API server may hand on: what can be read of it is read, in linear time."""

import json
import time
from typing import Any

import pytest

from webhook.foreign_json import MAX_DEPTH, parse_foreign


def nest(depth: int, opening: bytes = b'{"f:a":', closing: bytes = b"}") -> bytes:
    return opening * depth + b"{}" + closing * depth


@pytest.mark.parametrize(
    ("odd", "read"),
    [
        (nest(1_500), None),
        (nest(10_000), None),
        (nest(10_000, b"[", b"]"), None),
        (nest(3_000, b'[{"]}":', b"}]"), None),
        (b"1" * 5_000, float("inf")),
        (b'"\xff", "b": 1, "": ' + b"1" * 15, "\ufffd"),
        (b'"\xff\xed\xa0\x80"', "\ufffd" * 4),
    ],
)
def test_what_is_odd_hides_nothing_beside_it(odd: bytes, read: object) -> None:
    content = b'{"items": [{"a": %s, "b": "[{\\"{"}, {"c": [12, 1.5, true]}]}' % odd
    found = parse_foreign(content)
    first, second = found["items"]
    assert first["b"] == '[{"{'
    assert second == {"c": [12, 1.5, True]}
    if read is not None:
        assert first["a"] == read


def test_what_is_deep_is_kept_as_far_as_it_goes() -> None:
    found, depth = parse_foreign(nest(2_000, b"[", b"]")), 0
    while found:
        (found,) = found
        depth += 1
    assert (found, depth) == (None, MAX_DEPTH)


def test_what_is_usual_is_read_as_it_is() -> None:
    values: tuple[Any, ...] = ({"a": [1, {"b": None}]}, [], "text", 10**30)
    for value in (*values, json.loads(nest(MAX_DEPTH))):
        assert parse_foreign(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no",
        b'{"a": 1',
        b'{"a": "',
        b'{"a": "b\\',
        b"]" * 2_000,
        b"[" * 2_000,
        b"[" * 2_000 + b"}" * 2_000 + b",",
        b'{"a": 1}}',
    ],
)
def test_what_is_no_json_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_foreign(content)


@pytest.mark.parametrize("part", [b'\\"', b'"', b"[", b"]", b'"\\', b"\xff", b'{"":'])
def test_no_content_takes_long(part: bytes) -> None:
    """Sixteen times as much takes sixteen times as long, not 256 times."""

    def measure(count: int) -> float:
        began = time.process_time()
        with pytest.raises(ValueError, match=r"."):
            parse_foreign(b'["' + part * count)
        return time.process_time() - began

    assert measure(160_000) < 60 * max(measure(10_000), 0.001)
