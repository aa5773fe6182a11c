"""Owns what becomes of the sidecar's output: audit lines to a file, complaints to the terminal.

Must not act on an event; whoever wants to know of one says so. Nothing that came from a cluster
reaches the terminal with control characters in it.
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from webhook.cli.arguments import complain

_AUDIT = b'{"type":"audit"'
# A person at a terminal is told of these by the answer that the command gets, or needs no telling.
_UNTOLD = frozenset({"unknown_variable"})

Event = dict[str, Any]


class Report:
    """Takes the sidecar's lines, one after the other."""

    def __init__(self, audit_path: str | None) -> None:
        # The first that deals with an event says so: then nobody is told of it.
        self.listeners: list[Callable[[Event], bool]] = []
        self.on_call: Callable[[bytes], None] = _ignore
        self._audit = -1
        if audit_path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._audit = os.open(audit_path, flags, 0o600)

    def take(self, lines: Iterable[bytes]) -> None:
        """Until there are no more: the sidecar has ended."""
        for line in lines:
            if line.startswith(_AUDIT):
                self.on_call(line)
                self._keep(line)
            else:
                self._take_event(line)

    def close(self) -> None:
        """No more lines come."""
        if self._audit >= 0:
            os.close(self._audit)
            self._audit = -1

    def _keep(self, line: bytes) -> None:
        if self._audit < 0:
            return
        try:
            while line:
                line = line[os.write(self._audit, line) :]
        except OSError as error:
            complain(f"the audit file cannot be written, no more lines are kept: {error.strerror}")
            self.close()

    def _take_event(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            complain(line.decode("utf-8", "replace"))
            return
        if any(listener(event) for listener in self.listeners):
            return
        if event.get("level") in ("warning", "error") and event.get("event") not in _UNTOLD:
            complain(describe(event))


def _ignore(_: bytes) -> None:
    """Nobody wants to know of calls."""


def describe(event: Event) -> str:
    """One readable line."""
    if "message" in event:
        return str(event["message"])
    title = str(event.get("event", "")).replace("_", " ")
    details = ", ".join(
        f"{name} {value}" if name != "reason" else str(value)
        for name, value in event.items()
        if name not in ("type", "time", "level", "event") and value not in (None, "", False)
    )
    return f"{event.get('level')}: {title}" + (f": {details}" if details else "")
