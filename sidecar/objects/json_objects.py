"""Owns one JSON answer, step by step: an object, a list or a Table of objects, or a Status. Pure.

Must not buffer: it takes the steps that the text at hand holds whole. Every object's namespace is
checked before any byte of it is given out; all bytes but those of versions stay as they are.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from sidecar.objects.inspection import Expected, Inspection, TransformError
from sidecar.objects.json_text import (
    AMBIGUOUS,
    Found,
    IncompleteError,
    Span,
    find_next,
    locate,
    read_key,
    scan,
    text_at,
    want,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    _Step = Callable[["JsonDocument", str, int, list[str]], int]

_SPACE: Final = r"[ \t\n\r]*+"
_OPEN: Final = re.compile(rf"{_SPACE}\{{")
_OPEN_LIST: Final = re.compile(rf"\[{_SPACE}(?:(\])|(?=([^ \t\n\r])))")
_NEXT_ELEMENT: Final = re.compile(rf"{_SPACE}([,\]])")
_ELEMENT: Final = re.compile(rf"{_SPACE}(?=\{{)")
MALFORMED: Final = "it is no JSON object as the API server writes it"

_METADATA: Final = want("namespace", "resourceVersion", "continue")
_ITEM: Final = want("metadata.namespace", "metadata.resourceVersion", "items")
_ROW: Final = want(
    "metadata", "object.metadata.namespace", "object.metadata.resourceVersion", "object.items"
)
_TOP: Final = want("kind", "apiVersion", "metadata", "items", "rows")

_NOTHING: Final[Span] = (None, 0, 0)


class JsonDocument:
    """The walk over one answer's text, or over the object of a watch's event."""

    __slots__ = (
        "_expected",
        "_inspection",
        "_namespace",
        "_rows",
        "_seen",
        "_step",
        "_values",
        "done",
        "listing",
    )

    def __init__(self, inspection: Inspection, expected: Expected) -> None:
        self.done = False
        self.listing = False  # it is a list: what came so far may go on
        self._inspection = inspection
        self._expected = expected
        self._namespace: str | None = None
        self._rows = False
        self._seen: set[str] = set()
        self._values: dict[str, object] = {}
        self._step: _Step = JsonDocument._open

    def advance(self, text: str, at: int, out: list[str]) -> int:
        """Take every whole step that the text holds; returns how far that went."""
        try:
            while not self.done:
                at = self._step(self, text, at, out)
        except IncompleteError:
            pass
        return at

    def _open(self, text: str, at: int, out: list[str]) -> int:
        match = _OPEN.match(text, at)
        if match is None:
            raise IncompleteError
        out.append(text[at : match.end()])
        self._step = JsonDocument._member
        return match.end()

    def _member(self, text: str, at: int, out: list[str]) -> int:
        key, start = read_key(text, at)
        if key in _TOP.children:
            if key in self._seen:
                raise TransformError(AMBIGUOUS)
        elif key.casefold() in _TOP.folded:
            raise TransformError(AMBIGUOUS)
        opening = self._find_list(key, text, start)
        if opening is not None:
            self._open_list(key, empty=opening[1] is not None)
            out.append(text[at : opening.end()])
            return opening.end()
        if key == "metadata":
            found: Found = {}
            end = locate(text, start, _METADATA, found)
            after = self._after(text, end)
            self._namespace = text_at(found, "namespace")
            self._inspection.check(self._namespace, required=False)
            at = self._tag(text, at, found, out)
        else:
            value, end = scan(text, start)
            after = self._after(text, end)
            if key == "items":
                _check_plain(value)
            if key in _TOP.children:
                self._values[key] = value
        self._seen.add(key)
        out.append(text[at:after])
        return after

    def _find_list(self, key: str, text: str, start: int) -> re.Match[str] | None:
        """The begin of a list of objects. One of strings is a field like any other."""
        if key != "items" and (key != "rows" or self._values.get("kind") != "Table"):
            return None
        if not text.startswith("[", start):
            return None
        match = _OPEN_LIST.match(text, start)
        if match is None:
            raise IncompleteError
        return match if match[1] or match[2] == "{" else None

    def _open_list(self, key: str, *, empty: bool) -> None:
        self._seen.add(key)
        self.listing = True
        self._rows = key == "rows"
        self._step = JsonDocument._close_list if empty else JsonDocument._element

    def _element(self, text: str, at: int, out: list[str]) -> int:
        found: Found = {}
        begin = _ELEMENT.match(text, at)
        if begin is None:
            raise IncompleteError
        end = locate(text, begin.end(), _ROW if self._rows else _ITEM, found)
        match = _NEXT_ELEMENT.match(text, end)
        if match is None:
            raise IncompleteError
        if self._rows and "metadata" in found:
            raise TransformError(MALFORMED)  # the row's object has it, and no row itself
        prefix = "object." if self._rows else ""
        _check_plain(found.get(prefix + "items", _NOTHING)[0])
        prefix += "metadata."
        # A row without its object tells of no namespace; whoever asked for none gets none.
        required = self._expected is not Expected.WRAPPER and (
            not self._rows or found.get("object", _NOTHING)[0] is not None
        )
        self._inspection.check(text_at(found, prefix + "namespace"), required=required)
        at = self._tag(text, at, found, out, prefix)
        if match[1] == "]":
            self._step = JsonDocument._close_list
        out.append(text[at : match.end()])
        return match.end()

    def _close_list(self, text: str, at: int, out: list[str]) -> int:
        after = self._after(text, at)
        out.append(text[at:after])
        return after

    def _after(self, text: str, end: int) -> int:
        """Behind a member: another one, or the end of the answer."""
        sign, after = find_next(text, end)
        if sign == "}":
            self._step = JsonDocument._judge
        else:
            self._step = JsonDocument._member
        return after

    def _judge(self, text: str, at: int, out: list[str]) -> int:
        """The whole of it is known."""
        kind = self._values.get("kind")
        table = kind == "Table"
        if table and self._values.get("rows") is not None:
            raise TransformError(MALFORMED)  # they came before their kind, and were not looked at
        status = kind == "Status" and self._values.get("apiVersion") == "v1"
        exempt = (
            self._expected is Expected.WRAPPER
            or (self._expected is Expected.OBJECT_OR_STATUS and status)
            or (self.listing and self._expected is not Expected.OBJECT)
            or table
            or ("items" in self._values and self._values["items"] is None)
        )
        self._inspection.check(self._namespace, required=not exempt)
        self.done = True
        return at

    def _tag(self, text: str, at: int, found: Found, out: list[str], prefix: str = "") -> int:
        """Give out what stands before the last version, with all versions tagged."""
        inspection = self._inspection
        if inspection.code is None:
            return at
        edits: list[tuple[int, int, str]] = []
        version = text_at(found, prefix + "resourceVersion")
        if version is not None:
            edits.append((*found[prefix + "resourceVersion"][1:], inspection.tagged(version)))
        token = text_at(found, prefix + "continue")
        if token is not None:
            edits.append((*found[prefix + "continue"][1:], inspection.tagged_continue(token)))
        for start, end, value in sorted(edits):
            out.append(text[at:start])
            out.append(json.dumps(value))
            at = end
        return at


def _check_plain(items: object) -> None:
    """Refuse a list where none belongs: clients spread it out, wherever they find one."""
    if isinstance(items, list) and not all(isinstance(item, str) for item in items):
        raise TransformError(MALFORMED)
