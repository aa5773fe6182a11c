"""What two tellings of one story have in common: the form in which they must be equal.

Owns what may differ from run to run, and nothing else is left out: identities, times, versions,
the address, the namespace. Pure.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.clients.pods import RawStep

_SUBSTITUTIONS = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)", "<time>"),
        (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC)", "<date>"),
        (r"(too old resource version: \d+ )\(\d+\)", r"\1(<version>)"),
        (r"(resourceVersion[\\\"': =]+)\d+", r"\1<version>"),
        (r"(\bcontinue=)[\w-]+", r"\1<continue>"),
    )
)
_VERSIONS = frozenset({"resourceVersion", "resource_version"})
_MARKS = frozenset({"continue", "_continue"})
# Of an answer's header: when it and what it shows were made, its id, its length, in which versions
# count, and what belongs to the connection: some clients talk HTTP/2 to the API server.
_HEADERS = frozenset(
    {"date", "last-modified", "audit-id", "content-length", "connection", "transfer-encoding"}
)
MAX_SHOWN = 300
_AGE = re.compile(r"(?:\d+[smh])+")


class Canon:
    """How one teller's words are brought into the common form."""

    def __init__(self, *, namespace: str, ports: Iterable[int]) -> None:
        addresses = [(f"127.0.0.1:{port}", "<server>") for port in ports]
        self._names = ((namespace, "<namespace>"), *addresses)

    def steps(self, steps: Sequence[RawStep]) -> dict[str, Any]:
        """The result of each step, by its name."""
        names = [step["step"] for step in steps]
        twice = {name for name in names if names.count(name) > 1}
        assert not twice, f"told twice: {twice}"
        return {step["step"]: self.value(step["result"]) for step in steps}

    def value(self, value: Any, key: str = "") -> Any:
        """A value in the common form."""
        if isinstance(value, Mapping):
            return self._mapping(value, key)
        if isinstance(value, list):
            if key == "events":
                value = _one_bookmark(value)
            if key == "cells":
                value = ["<age>" if isinstance(e, str) and _AGE.fullmatch(e) else e for e in value]
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return self._text(value, key)
        return value

    def _mapping(self, value: Mapping[str, Any], key: str) -> dict[str, Any]:
        if key == "headers":
            value = {name: text for name, text in value.items() if name.lower() not in _HEADERS}
        return {self._text(name): self.value(inner, name) for name, inner in value.items()}

    def _text(self, text: str, key: str = "") -> str:
        if key in _VERSIONS and text.isdecimal():
            return "<version>"
        if key in _MARKS and text:
            return "<continue>"
        for name, common in self._names:
            text = text.replace(name, common)
        for pattern, common in _SUBSTITUTIONS:
            text = pattern.sub(common, text)
        return text


def _one_bookmark(events: Sequence[Any]) -> list[Any]:
    """How many bookmarks come one after the other is a matter of time."""
    kept: list[Any] = []
    for event in events:
        if not (kept and event["type"] == kept[-1]["type"] == "BOOKMARK"):
            kept.append(event)
    return kept


def assert_equal(direct: Mapping[str, Any], meshed: Mapping[str, Any]) -> None:
    """Raise with each step that differs, as a diff."""
    differences = describe_differences(direct, meshed)
    if differences:
        raise AssertionError(f"the sidecar's telling differs:\n{differences}")


def describe_differences(direct: Mapping[str, Any], meshed: Mapping[str, Any]) -> str:
    """Each step that differs, as a diff; empty when all are equal."""
    told = []
    for step in [*direct, *(name for name in meshed if name not in direct)]:
        if step not in direct or step not in meshed or direct[step] != meshed[step]:
            lines = difflib.unified_diff(
                _lines(direct.get(step)), _lines(meshed.get(step)), "direct", "sidecar", lineterm=""
            )
            told.append("\n".join([f"== {step}", *list(lines)[:60]]))
    return "\n".join(told)


def _lines(value: Any) -> list[str]:
    lines = json.dumps(value, indent=1, sort_keys=True).splitlines()
    return [line[:MAX_SHOWN] for line in lines]
