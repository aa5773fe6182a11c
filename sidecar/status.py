"""Owns the answers that the sidecar makes itself: a Kubernetes `Status`, mostly, as the API server
does.

Must not decide anything. What is refused, and why, arrives as a reason, a rule and a message.
"""

import json
import re
from collections.abc import Mapping
from struct import pack
from time import gmtime, strftime

from sidecar.policy.verdict import REASON_CODES, Denial

Details = Mapping[str, object]

_PHRASES = {
    200: b"OK",
    201: b"Created",
    304: b"Not Modified",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    405: b"Method Not Allowed",
    406: b"Not Acceptable",
    408: b"Request Timeout",
    409: b"Conflict",
    410: b"Gone",
    413: b"Request Entity Too Large",
    415: b"Unsupported Media Type",
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}
# client-go sends every verb again, POST too, when it sees the header on these.
_RETRYABLE = frozenset((429, 503))
_MAX_MESSAGE = 300
_NOT_IN_HEADER = re.compile(r"[^\x21-\x7e]+")


def status_body(code: int, reason: str, message: str, details: Details | None = None) -> bytes:
    """The JSON that the API server would write, in its order of fields."""
    status = _status(code, reason, message, details)
    # Not escaped to ASCII, as Go's encoder; a lone surrogate could not be encoded and is shown.
    text = json.dumps(status, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def read_message(content: bytes) -> str:
    """The message of a Status that somebody else made, fit for one line."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    message = document.get("message") if isinstance(document, dict) else None
    if not isinstance(message, str) or not message:
        return "without a message"
    return "".join(char if char.isprintable() else "?" for char in message[:_MAX_MESSAGE])


def status_response(
    refusal: Denial,
    decision_id: bytes,
    *,
    close: bool = False,
    retry_after: int | None = None,
    head_only: bool = False,
    details: Details | None = None,
) -> bytes:
    """A whole HTTP/1.1 response; `head_only` for an answer to HEAD.

    `retry_after` says that nothing was sent upstream; codes that do not allow it ignore it.
    """
    code = REASON_CODES[refusal.reason]
    retry = b""
    if retry_after is not None and code in _RETRYABLE:
        seconds = max(1, retry_after)
        details = {**(details or {}), "retryAfterSeconds": seconds}
        retry = b"Retry-After: %d\r\n" % seconds
    body = status_body(code, refusal.reason.value, _message(refusal), details)
    rule = refusal.rule or refusal.reason.value
    return own_response(
        code, body, decision_id, rule, close=close, extra=retry, head_only=head_only
    )


def own_response(
    code: int,
    body: bytes,
    decision_id: bytes,
    rule: str,
    *,
    content_type: bytes = b"application/json",
    close: bool = False,
    extra: bytes = b"",
    head_only: bool = False,
) -> bytes:
    """A whole HTTP/1.1 response of ours; `extra` are further header lines."""
    return b"".join(
        (
            b"HTTP/1.1 %d %s\r\n" % (code, _PHRASES.get(code, b"Status")),
            b"Audit-Id: %s\r\n" % decision_id,
            b"Cache-Control: no-cache, private\r\nContent-Type: %s\r\n" % content_type,
            b"Mca-Decision: %s\r\n" % _header_text(rule),
            b"X-Content-Type-Options: nosniff\r\n",
            b"Date: %s\r\n" % strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime()).encode(),
            extra,
            b"Connection: close\r\n" if close else b"",
            b"Content-Length: %d\r\n\r\n" % len(body),
            b"" if head_only else body,
        )
    )


def error_event_json(refusal: Denial) -> bytes:
    """The line that ends a watch in JSON."""
    body = status_body(REASON_CODES[refusal.reason], refusal.reason.value, _message(refusal))
    return b'{"type":"ERROR","object":' + body.rstrip(b"\n") + b"}\n"


def error_event_protobuf(refusal: Denial) -> bytes:
    """The frame that ends a watch in protobuf.

    apimachinery: a WatchEvent behind its length in four bytes; its object is an envelope of the
    type and the message (runtime.Unknown) behind the magic. Go's generated code writes empty
    strings too, so does this.
    """
    status = (
        _field(1, _field(1, b"") + _field(2, b"") + _field(3, b""))  # ListMeta
        + _field(2, b"Failure")
        + _field(3, _message(refusal).encode("utf-8", "replace"))
        + _field(4, refusal.reason.value.encode())
        + b"\x30"
        + _varint(REASON_CODES[refusal.reason])
    )
    kind = _field(1, b"v1") + _field(2, b"Status")
    unknown = b"k8s\x00" + _field(1, kind) + _field(2, status) + _field(3, b"") + _field(4, b"")
    event = _field(1, b"ERROR") + _field(2, _field(1, unknown))
    return pack(">I", len(event)) + event


def _message(refusal: Denial) -> str:
    """Names the rule, so that whoever reads it knows that not the API server refused, and why."""
    return f"mca {refusal.rule}: {refusal.message}" if refusal.rule else refusal.message


def _status(code: int, reason: str, message: str, details: Details | None) -> dict[str, object]:
    status: dict[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details:
        status["details"] = dict(details)
    status["code"] = code
    return status


def _header_text(rule: str) -> bytes:
    return _NOT_IN_HEADER.sub("_", rule).encode()


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field, number at most 15."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
