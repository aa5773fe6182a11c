"""Answers of whoever answers: read, or told to be none."""

from typing import Any

import pytest

from webhook.answers import parse_document, read_failure


@pytest.mark.parametrize(
    "content",
    [b"", b"no", b"[1]", b"1", b'{"a":' + b"[" * 100_000, b"\xff"],
)
def test_what_is_no_document_is_none(content: bytes) -> None:
    assert parse_document(content) is None
    assert parse_document(b'{"a": 1}') == {"a": 1}
    assert parse_document(b'{"a": 1, "b":' + b"[" * 5_000 + b"]" * 5_000 + b"}")


@pytest.mark.parametrize(
    ("details", "causes"),
    [
        (5, None),
        ({"causes": 5}, []),
        ({"causes": [5, {"field": "a"}, None]}, [{"field": "a"}]),
        ({"name": "x"}, None),
    ],
)
def test_causes_of_a_failure_are_objects(details: Any, causes: Any) -> None:
    document = {"kind": "Status", "reason": ["odd"], "message": {}, "details": details}
    failure = read_failure(409, document, b"")
    assert failure.details.get("causes") == causes
    assert failure.message == "answered 409"
