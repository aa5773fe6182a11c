"""Owns the forms that schemas are put together from.

Must not know a field of ours.
"""

from typing import Any, Final

from webhook.resources.meta import RawDocument

LABEL_PATTERN: Final = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
MAX_LABEL: Final = 63
MAX_SUBDOMAIN: Final = 253
# As the API server itself writes it (resource.Quantity).
_NUMBER: Final = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
_QUANTITY: Final = rf"^\+?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?$"


def text(description: str, *, most: int, pattern: str = "", **more: Any) -> RawDocument:
    """Text of at most so many characters."""
    matched = {"pattern": pattern} if pattern else {}
    return {"description": description, "type": "string", "maxLength": most, **matched, **more}


def label(description: str, **more: Any) -> RawDocument:
    """A name that is a DNS label."""
    return text(description, most=MAX_LABEL, pattern=LABEL_PATTERN, **more)


def subdomain(description: str, **more: Any) -> RawDocument:
    """A name that is a DNS subdomain."""
    return text(description, most=MAX_SUBDOMAIN, pattern=SUBDOMAIN_PATTERN, **more)


def choice(description: str, *words: str, **more: Any) -> RawDocument:
    """One of a few words."""
    return {"description": description, "type": "string", "enum": [*words], **more}


def whole(description: str, least: int, most: int, **more: Any) -> RawDocument:
    """A whole number."""
    bounds = {"minimum": least, "maximum": most}
    return {"description": description, "type": "integer", **bounds, **more}


def flag(description: str) -> RawDocument:
    """Yes or no; no unless it is said."""
    return {"description": description, "type": "boolean", "default": False}


def array(
    description: str, items: RawDocument, most: int, *, least: int = 0, **more: Any
) -> RawDocument:
    """A list, replaced as a whole by who applies it."""
    bounds: RawDocument = {"maxItems": most} | ({"minItems": least} if least else {})
    kind = {"x-kubernetes-list-type": "atomic"}
    return {"description": description, "type": "array", "items": items, **bounds, **kind, **more}


def unique(description: str, items: RawDocument, most: int, **more: Any) -> RawDocument:
    """A list in which nothing stands twice."""
    return array(description, items, most, **more) | {"x-kubernetes-list-type": "set"}


def keyed(description: str, items: RawDocument, most: int, key: str) -> RawDocument:
    """A list in which no two items have the same key; each may be applied by somebody else."""
    kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return array(description, items, most) | kind


def fields(
    description: str,
    properties: dict[str, RawDocument],
    required: tuple[str, ...] = (),
    *rules: RawDocument,
    **more: Any,
) -> RawDocument:
    """An object."""
    needed = {"required": [*required]} if required else {}
    judged = {"x-kubernetes-validations": [*rules]} if rules else {}
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        **needed,
        **judged,
        **more,
    }


def texts(description: str, most: int, longest: int, *rules: RawDocument) -> RawDocument:
    """An object whose values are text."""
    judged = {"x-kubernetes-validations": [*rules]} if rules else {}
    return {
        "description": description,
        "type": "object",
        "maxProperties": most,
        "additionalProperties": {"type": "string", "maxLength": longest},
        **judged,
    }


def quantities(description: str) -> RawDocument:
    """An object whose values are quantities, such as 10 or 4Gi."""
    quantity = {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": _QUANTITY,
        "x-kubernetes-int-or-string": True,
    }
    return {
        "description": description,
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": quantity,
    }


def rule(expression: str, message: str, *, path: str = "") -> RawDocument:
    """What must hold, in CEL, and what is said where it does not; `path` names the field."""
    where = {"fieldPath": path} if path else {}
    return {"rule": " ".join(expression.split()), "message": message, **where}
