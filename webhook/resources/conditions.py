"""Owns conditions of a status: read, compared, and made ready to be written.

A condition keeps the time of its last change for as long as its status stays. Must not read a
clock, nor write.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from webhook.resources.meta import Meta, RawDocument, documents, mapping
from webhook.resources.names import API_VERSION, Kind

_SPELLED = {True: "True", False: "False", None: "Unknown"}
_READ = {"True": True, "False": False}
_SHOWN_MESSAGE = 2_000


class Condition(NamedTuple):
    """One thing that is so, is not so, or is not known (None)."""

    type: str
    status: bool | None
    reason: str
    message: str = ""
    observed_generation: int = 0


def now_text(seconds: float) -> str:
    """A `time.time()` as the API writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def read_conditions(document: RawDocument) -> dict[str, Condition]:
    """By type; what cannot be read is left out."""
    found = {}
    for raw in documents(mapping(document.get("status")).get("conditions")):
        name, reason, message = raw.get("type"), raw.get("reason", ""), raw.get("message", "")
        generation = raw.get("observedGeneration", 0)
        if (
            isinstance(name, str)
            and isinstance(reason, str)
            and isinstance(message, str)
            and isinstance(generation, int)
        ):
            status = _READ.get(str(raw.get("status")))
            found[name] = Condition(name, status, reason, message, generation)
    return found


def is_true(document: RawDocument, type_: str) -> bool:
    """Whether a condition is there and holds."""
    condition = read_conditions(document).get(type_)
    return condition is not None and condition.status is True


def is_true_now(document: RawDocument, type_: str) -> bool:
    """Whether a condition holds that was found of the object as it is, not of an earlier one."""
    condition = read_conditions(document).get(type_)
    generation = mapping(document.get("metadata")).get("generation", 0)
    return (
        condition is not None
        and condition.status is True
        and condition.observed_generation == generation
    )


def render_conditions(
    conditions: Iterable[Condition], document: RawDocument, now: str
) -> list[RawDocument]:
    """The list for a status, for who applies it; `document` is the object as it was read."""
    times = {
        (raw.get("type"), raw.get("status")): raw.get("lastTransitionTime")
        for raw in documents(mapping(document.get("status")).get("conditions"))
    }
    return [
        {
            "type": condition.type,
            "status": _SPELLED[condition.status],
            "reason": condition.reason,
            "message": _clip(condition.message),
            "observedGeneration": condition.observed_generation,
            "lastTransitionTime": times.get((condition.type, _SPELLED[condition.status])) or now,
        }
        for condition in conditions
    ]


def same_conditions(conditions: Iterable[Condition], document: RawDocument) -> bool:
    """Whether the object says all of them already."""
    there = read_conditions(document)
    return all(
        there.get(condition.type) == condition._replace(message=_clip(condition.message))
        for condition in conditions
    )


def apply_status(
    kind: Kind,
    meta: Meta,
    conditions: Iterable[Condition],
    document: RawDocument,
    now: str,
    **more: object,
) -> RawDocument:
    """The body of a server-side apply on an object's status; `more` are its other fields.

    It is for the version that was looked at: what was found out of an object that was deleted is
    not said of its successor. The uid would not do, which nobody compares in a status.
    """
    where = {"namespace": meta.namespace} if meta.namespace else {}
    version = mapping(document.get("metadata")).get("resourceVersion")
    if version:
        where["resourceVersion"] = version
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": meta.name, **where},
        "status": {**more, "conditions": render_conditions(conditions, document, now)},
    }


def _clip(message: str) -> str:
    return message if len(message) <= _SHOWN_MESSAGE else f"{message[: _SHOWN_MESSAGE - 1]}…"
