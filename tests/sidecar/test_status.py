import json
import struct
from typing import Any

import pytest

from sidecar.policy.verdict import REASON_CODES, Denial, Reason
from sidecar.status import (
    error_event_json,
    error_event_protobuf,
    status_body,
    status_response,
)

DENIAL = Denial(Reason.FORBIDDEN, "guard/token-request", "no tokens for anybody: ü <&>")


def split(response: bytes) -> tuple[bytes, dict[str, str], bytes]:
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = dict(line.decode().split(": ", 1) for line in lines)
    assert len(fields) == len(lines), "a field stands twice"
    return first, fields, body


def test_a_denial_is_what_the_api_server_would_answer() -> None:
    first, fields, body = split(status_response(DENIAL, b"1-2-3"))
    assert first == b"HTTP/1.1 403 Forbidden"
    assert fields["Audit-Id"] == "1-2-3"
    assert fields["Mca-Decision"] == "guard/token-request"
    assert fields["Content-Type"] == "application/json"
    assert fields["Cache-Control"] == "no-cache, private"
    assert fields["Date"].endswith(" GMT")
    assert int(fields["Content-Length"]) == len(body)
    assert not {"Connection", "Retry-After"} & fields.keys()
    assert list(json.loads(body).items()) == [
        ("kind", "Status"),
        ("apiVersion", "v1"),
        ("metadata", {}),
        ("status", "Failure"),
        ("message", "mca guard/token-request: no tokens for anybody: ü <&>"),
        ("reason", "Forbidden"),
        ("code", 403),
    ]
    assert body.endswith(b"}\n")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_an_answer(reason: Reason) -> None:
    first, _, body = split(status_response(Denial(reason, "r", "m"), b"id"))
    code = REASON_CODES[reason]
    assert first.startswith(b"HTTP/1.1 %d " % code)
    assert len(first) > len(b"HTTP/1.1 403 ")
    assert (json.loads(body)["code"], json.loads(body)["reason"]) == (code, reason.value)


@pytest.mark.parametrize("reason", list(Reason))
def test_retry_after_stands_only_where_a_write_may_be_sent_again(reason: Reason) -> None:
    """client-go sends every verb again, POST too, when it sees the field."""
    _, fields, body = split(status_response(Denial(reason, "r", "m"), b"id", retry_after=7))
    details = json.loads(body).get("details")
    if reason in (Reason.TOO_MANY_REQUESTS, Reason.SERVICE_UNAVAILABLE):
        assert (fields["Retry-After"], details) == ("7", {"retryAfterSeconds": 7})
    else:
        assert ("Retry-After" in fields, details) == (False, None)


@pytest.mark.parametrize("retry_after", [-1, 0, 1])
def test_retry_after_is_at_least_one(retry_after: int) -> None:
    denial = Denial(Reason.SERVICE_UNAVAILABLE, "r", "m")
    _, fields, _ = split(status_response(denial, b"id", retry_after=retry_after))
    assert fields["Retry-After"] == "1"


def test_an_answer_may_close_and_an_answer_to_head_has_no_body() -> None:
    full = status_response(DENIAL, b"id", close=True)
    _, fields, body = split(full)
    assert fields["Connection"] == "close"
    assert status_response(DENIAL, b"id", close=True, head_only=True) == full[: -len(body)]


@pytest.mark.parametrize("rule", ["a\r\nX: y", "a b", "ä", "a\x00"])
def test_no_rule_writes_a_header_line_of_its_own(rule: str) -> None:
    response = status_response(Denial(Reason.FORBIDDEN, rule, "m"), b"id")
    _, fields, _ = split(response)
    assert fields["Mca-Decision"].isascii()
    assert " " not in fields["Mca-Decision"]


@pytest.mark.parametrize("message", ["", "two\nlines", 'a "quoted" one', "lone \ud800", "\x00"])
def test_any_message_is_json(message: str) -> None:
    body = status_body(403, "Forbidden", message)
    assert json.loads(body)["message"] == message
    assert body.count(b"\n") == 1
    assert json.loads(error_event_json(Denial(Reason.FORBIDDEN, "", message)))


def test_a_watch_ends_with_an_event_of_one_line() -> None:
    line = error_event_json(DENIAL)
    assert line.count(b"\n") == 1
    event = json.loads(line)
    assert event["type"] == "ERROR"
    assert event["object"] == json.loads(status_response(DENIAL, b"").partition(b"\r\n\r\n")[2])


# Made by apimachinery 0.36.3: protobuf.NewSerializer into WatchEvent.Object.Raw, that by a
# streaming.Encoder on LengthDelimitedFramer and NewRawSerializer, for metav1.Status{Status:
# "Failure", Message: "the policy changed: ü", Reason: "Expired", Code: 410}.
FROM_GO = bytes.fromhex(
    "000000580a054552524f52124f0a4d6b3873000a0c0a027631120653746174757312350a060a0012001a00"
    "12074661696c7572651a1674686520706f6c696379206368616e6765643a20c3bc22074578706972656430"
    "9a031a002200"
)


def test_the_protobuf_event_is_the_bytes_of_the_api_servers_library() -> None:
    denial = Denial(Reason.EXPIRED, "", "the policy changed: ü")
    assert error_event_protobuf(denial) == FROM_GO


def decode(data: bytes) -> dict[int, Any]:
    """A message's fields by number; each at most once here."""
    fields: dict[int, Any] = {}
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        value, position = varint(data, position)
        assert key >> 3 not in fields
        if key & 7 == 2:
            fields[key >> 3] = data[position : position + value]
            position += value
        else:
            assert key & 7 == 0
            fields[key >> 3] = value
    assert position == len(data)
    return fields


def varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if not byte & 0x80:
            return value, position


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("size", [0, 1, 60, 127, 128, 300, 20000])
def test_the_protobuf_event_holds_together_at_any_length(reason: Reason, size: int) -> None:
    frame = error_event_protobuf(Denial(reason, "", "m" * size))
    (length,) = struct.unpack(">I", frame[:4])
    assert length == len(frame) - 4
    event = decode(frame[4:])
    assert event[1] == b"ERROR"
    raw = decode(event[2])[1]
    assert raw[:4] == b"k8s\x00"
    unknown = decode(raw[4:])
    assert decode(unknown[1]) == {1: b"v1", 2: b"Status"}
    status = decode(unknown[2])
    assert status[2] == b"Failure"
    assert (status[3], status[4], status[6]) == (
        b"m" * size,
        reason.value.encode(),
        REASON_CODES[reason],
    )
