"""Owns how parts of an object are held against the sidecar's own readers of snapshots.

What is valid in an object is then valid in a snapshot, and is said in the same words. Must not know
kinds.
"""

import json
from typing import Any

from sidecar.policy.fields import Check, read_json

_MAX_PROBLEMS = 20


def as_fields(value: object) -> Any:
    """A value as the sidecar's readers take it: as if it had been read from a file."""
    return read_json(json.dumps(value).encode())


def problems_of(check: Check, renamed: dict[str, str]) -> tuple[str, ...]:
    """What was found; paths that begin with a key of `renamed` begin with its value instead."""
    return tuple(_rename(told, renamed) for told in check.errors[:_MAX_PROBLEMS])


def _rename(told: str, renamed: dict[str, str]) -> str:
    for path, name in renamed.items():
        if told.startswith(path):
            return name + told[len(path) :]
    return told


def given(**fields: object) -> dict[str, object]:
    """The fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}
