"""Owns the paths that are no resources: which are open to every caller, and which tell of kinds.

It must not decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidecar.policy.requestinfo import RequestInfo

_READS: Final = frozenset({"get", "head"})
_OPEN: Final = frozenset({"/", "/version", "/healthz", "/livez", "/readyz"})
_OPEN_TREES: Final = frozenset({"api", "apis", "openapi"})


def is_open(info: RequestInfo) -> bool:
    """Whether every caller may read it: discovery, OpenAPI, version and health."""
    if info.verb not in _READS:
        return False
    path = info.path
    return path in _OPEN or path.rstrip("/") in _OPEN or _tree(path) in _OPEN_TREES


def tells_of_kinds(info: RequestInfo) -> bool:
    """Whether it is discovery or OpenAPI, to which other members add."""
    return info.verb in _READS and _tree(info.path) in _OPEN_TREES


def group_told_of(path: str) -> str | None:
    """The one API group that discovery or OpenAPI at this path tells of; None: all of them."""
    segments = path.strip("/").split("/")
    if segments[0] == "openapi":
        segments = segments[2:]
    if len(segments) < 2:
        return None
    return segments[1] if segments[0] == "apis" else ""


def _tree(path: str) -> str:
    return path[1:].partition("/")[0]
