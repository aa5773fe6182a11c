"""Owns how JSON answers come in: in pieces, as one document or as a watch's lines. Pure.

Must not judge an object (json_objects does). What is not given out yet is one object at most, and
it is looked at again only when it has doubled: an object in a thousand pieces costs twice its
parse, not a thousand times.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from sidecar.objects.inspection import MAX_OBJECT_BYTES, Expected, Inspection, TransformError
from sidecar.objects.json_objects import MALFORMED, JsonDocument
from sidecar.objects.json_text import check_parts

# So much of a document is looked at in one go; fewer goes look at fewer objects twice.
_BATCH: Final = 1 << 16
_EVENT: Final = re.compile(
    r'[ \t\r]*+\{[ \t\r]*+"type"[ \t\r]*+:[ \t\r]*+"([A-Z]+)"[ \t\r]*+,[ \t\r]*+"object"[ \t\r]*+:'
)
_EVENT_END: Final = re.compile(r"[ \t\r]*+\}[ \t\r]*+")
EVENTS: Final = {
    "ADDED": Expected.OBJECT,
    "MODIFIED": Expected.OBJECT,
    "DELETED": Expected.OBJECT,
    "BOOKMARK": Expected.WRAPPER,
    "ERROR": Expected.WRAPPER,
}
TOO_LARGE: Final = "an object in it is larger than 3 MiB"


class JsonAnswer:
    """One document."""

    __slots__ = ("_document", "_due", "_held", "_pieces", "_size", "_text", "_utf8")

    def __init__(self, inspection: Inspection) -> None:
        self._document = JsonDocument(inspection, Expected.OBJECT_OR_STATUS)
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._pieces: list[bytes] = []
        self._size = 0  # of what was not looked at, and of what was, in vain
        self._due = _BATCH
        self._text = ""  # what is not given out of what was looked at
        self._held: list[str] = []  # given out, but by something that may not be a list

    def feed(self, data: bytes) -> bytes:
        self._pieces.append(data)
        self._size += len(data)
        return self._advance() if self._size >= self._due else b""

    def finish(self) -> bytes:
        try:
            rest = self._advance()
            self._utf8.decode(b"", final=True)
        except UnicodeDecodeError:
            raise TransformError(MALFORMED) from None
        if not self._document.done:
            raise TransformError(MALFORMED)
        return rest

    def _advance(self) -> bytes:
        text = self._text + self._take()
        check_parts(text)
        out = self._held
        document = self._document
        at = document.advance(text, 0, out)
        text = text[at:]
        if document.done:  # the API server ends what it writes with a line feed
            if text.strip(" \t\r\n"):
                raise TransformError(MALFORMED)
            out.append(text)
            text = ""
        self._text = text
        listing = document.listing or document.done
        left = len(text) if listing else len(text) + sum(map(len, out))
        if left > MAX_OBJECT_BYTES:
            raise TransformError(TOO_LARGE)
        self._size = len(text)
        self._due = max(_BATCH, min(2 * len(text), MAX_OBJECT_BYTES + 1))
        if not listing:
            return b""
        self._held = []
        return "".join(out).encode("latin-1")

    def _take(self) -> str:
        data = b"".join(self._pieces)
        self._pieces.clear()
        text = data.decode("latin-1")
        if not text.isascii() or self._utf8.getstate()[0]:
            try:
                self._utf8.decode(data)
            except UnicodeDecodeError:
                raise TransformError(MALFORMED) from None
        return text


class JsonWatch:
    """A watch: one event a line. They are given out whole."""

    __slots__ = ("_inspection", "_line")

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._line = bytearray()

    def feed(self, data: bytes) -> bytes:
        line = self._line
        seen = len(line)
        line += data
        out: list[str] = []
        start = 0
        while (end := line.find(b"\n", max(seen, start))) >= 0:
            self._pass(line[start:end], out)
            start = end + 1
        if start:
            del line[:start]
        if len(line) > MAX_OBJECT_BYTES:
            raise TransformError(TOO_LARGE)
        return "".join(out).encode("latin-1")

    def finish(self) -> bytes:
        if self._line:
            error = "it ends inside an event"
            raise TransformError(error)
        return b""

    def _pass(self, line: bytearray, out: list[str]) -> None:
        if not line.isascii():
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                raise TransformError(MALFORMED) from None
        if len(line) > MAX_OBJECT_BYTES:
            raise TransformError(TOO_LARGE)
        text = line.decode("latin-1")
        match = _EVENT.match(text)
        expected = EVENTS.get(match[1]) if match is not None else None
        if match is None or expected is None:
            raise TransformError(MALFORMED)
        check_parts(text)
        out.append(match[0])
        document = JsonDocument(self._inspection, expected)
        at = document.advance(text, match.end(), out)
        if not document.done or _EVENT_END.fullmatch(text, at) is None:
            raise TransformError(MALFORMED)
        out.append(text[at:])
        out.append("\n")
