"""Owns how an API server's answer is read: as a document, as a watch's events, as a failure.

Must not call anybody, nor know what is asked for. Must not put more of an answer into an error than
its first words.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import urllib3

from webhook.foreign_json import parse_foreign

RawDocument = dict[str, Any]

# A KubeError's reason: a watch has sent what cannot be read, and would again from there.
UNREADABLE: Final = "Unreadable"
# The same: the answer holds more bytes than was allowed.
TOO_LONG: Final = "TooLong"
# The same: a list has more objects than was allowed.
TOO_MANY: Final = "TooMany"
_PIECE_BYTES: Final = 64 << 10


class KubeError(Exception):
    """A call that failed; `status` 0: nothing answered, or there is nobody to ask."""

    def __init__(
        self, status: int, reason: str, message: str, details: RawDocument | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}  # of the Status: a conflict's causes, say


def read_bounded(response: urllib3.BaseHTTPResponse, most: int, until: float, server: str) -> bytes:
    """All of it, unless it is too long or drips in."""
    content = bytearray()
    # Not decoded: nobody was asked to compress, and little becomes much so.
    while part := response.read1(_PIECE_BYTES, decode_content=False):
        content += part
        if len(content) > most or time.monotonic() > until:
            response.close()
            too_long = len(content) > most
            told = "is too long" if too_long else "did not come in time"
            raise KubeError(0, TOO_LONG if too_long else "", f"{server}: the answer {told}")
    response.release_conn()
    return bytes(content)


def parse_document(content: bytes) -> RawDocument | None:
    try:
        document = parse_foreign(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def read_failure(status: int, document: RawDocument | None, content: bytes) -> KubeError:
    """The Status that an API server answers with, or what something before it said."""
    if document is not None and document.get("kind") == "Status":
        reason, message = document.get("reason") or "", document.get("message") or ""
        return KubeError(
            status,
            str(reason),
            str(message) or f"answered {status}",
            _read_details(document.get("details")),
        )
    text = content[:200].decode(errors="replace").strip()
    return KubeError(status, "", f"answered {status}: {text}" if text else f"answered {status}")


def _read_details(details: object) -> RawDocument:
    """With a list of objects for its causes: who answers may be anybody."""
    if not isinstance(details, dict):
        return {}
    if "causes" not in details:
        return details
    causes = details["causes"]
    known = causes if isinstance(causes, list) else []
    return {**details, "causes": [cause for cause in known if isinstance(cause, dict)]}


def read_events(response: urllib3.BaseHTTPResponse, server: str) -> Iterator[RawDocument]:
    pending = b""
    for chunk in response.stream(1 << 16):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            event = parse_document(line)
            if event is None or not isinstance(event.get("object"), dict):
                raise KubeError(0, UNREADABLE, f"{server}: the watch sent what is no event")
            if event.get("type") == "ERROR":
                raise read_failure(int(event["object"].get("code") or 0), event["object"], b"")
            yield event
