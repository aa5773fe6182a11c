"""Owns the parts that the status of every kind has. Must not know a kind."""

from webhook.resources.meta import RawDocument
from webhook.resources.schemas.forms import choice, fields, keyed, text

_WHOLE = {"type": "integer", "format": "int64", "minimum": 0}


def conditions() -> RawDocument:
    """Conditions as every API has them; each may be written by another part of the controller."""
    condition = fields(
        "One thing that is so, is not so, or is not known.",
        {
            "type": text("What it is about.", most=316),
            "status": choice("Whether it is so.", "True", "False", "Unknown"),
            "reason": text("Why, in a word that does not change.", most=1024),
            "message": text("Why, for a reader, and what to do.", most=32_768),
            "observedGeneration": observed_generation(),
            "lastTransitionTime": {
                "description": "Since when the status is what it is.",
                "type": "string",
                "format": "date-time",
            },
        },
        ("type", "status", "reason", "message", "lastTransitionTime"),
    )
    return keyed("What is so, by type.", condition, 32, "type")


def observed_generation() -> RawDocument:
    """Which generation of the spec was looked at."""
    return {"description": "metadata.generation of the spec that this is about.", **_WHOLE}


def counter(description: str) -> RawDocument:
    """How many."""
    return {"description": description, **_WHOLE}
