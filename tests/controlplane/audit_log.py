"""Reads an API server's audit log while it grows. Owns the position in the file and the index."""

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

RawEvent = dict[str, Any]
POLL_S = 0.02


class AuditLog:
    """Entries as the API server wrote them (audit.k8s.io/v1 Event), in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._events: list[RawEvent] = []
        self._by_id: dict[str, list[RawEvent]] = {}

    def mark(self) -> int:
        """A position for `since`."""
        self._read()
        return len(self._events)

    def since(self, mark: int) -> list[RawEvent]:
        """What has been written after the mark."""
        self._read()
        return self._events[mark:]

    def wait_for(
        self, ids: Collection[str], *, stage: str = "ResponseComplete", timeout_s: float = 15.0
    ) -> dict[str, RawEvent]:
        """The entry of each Audit-ID at a stage; it is written just after the answer."""
        missing = set(ids)
        found: dict[str, RawEvent] = {}
        deadline = time.monotonic() + timeout_s
        while True:
            self._read()
            for audit_id in list(missing):
                for event in self._by_id.get(audit_id, ()):
                    if event["stage"] == stage:
                        found[audit_id] = event
                        missing.discard(audit_id)
            if not missing:
                return found
            if time.monotonic() > deadline:
                example = min(missing)
                raise TimeoutError(f"{len(missing)} audit entries did not come, such as {example}")
            time.sleep(POLL_S)

    def _read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1  # the server may be in the middle of a line
        self._offset += whole
        for line in data[:whole].splitlines():
            event: RawEvent = json.loads(line)
            self._events.append(event)
            self._by_id.setdefault(event["auditID"], []).append(event)
