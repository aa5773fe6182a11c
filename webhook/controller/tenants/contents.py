"""Owns when an object says what was wished: the one form in which both are compared. Pure.

What API servers fill in, and the spellings of a quantity, make no difference. Must not look at what
MCA does not state: other labels, annotations, status.
"""

import hashlib
import json
import re
import sys
from decimal import Decimal
from typing import Any, Final

from webhook.resources.meta import RawDocument, documents, items, mapping, read_meta
from webhook.resources.names import CREATED_BY, LABEL_TENANT, OUR_LABELS

_QUANTITY: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([a-zA-Z]*))")
# Longer ones are none that an API server takes; a large exponent would be a text of its size.
_LONGEST_QUANTITY: Final = 64
_LONGEST_EXPONENT: Final = len("e-99")
_SUFFIXES: Final = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal("1e3"), "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"),
    "P": Decimal("1e15"), "E": Decimal("1e18"),
    **{f"{letter}i": Decimal(1024) ** (power + 1) for power, letter in enumerate("KMGTPE")},
}  # fmt: skip
# What Tenants state is shorter, nearly always; anybody may label an object of a megabyte.
_LONGEST: Final = 8 << 10
_LONGEST_ROLE: Final = 1 << 10
_LABELS: Final = (LABEL_TENANT, *OUR_LABELS)


def render_content(raw: RawDocument) -> str:
    """The same for objects that say the same. One text for many: most namespaces are alike."""
    meta = read_meta(raw)
    stated = {
        "labels": [meta.labels.get(label) for label in _LABELS],
        "creator": meta.annotations.get(CREATED_BY),
        **{part: raw[part] for part in ("roleRef", "subjects") if raw.get(part)},
        "spec": _spell_spec(raw.get("kind"), mapping(raw.get("spec"))),
    }
    text = _write(stated)
    return sys.intern(text if len(text) <= _LONGEST else _shorten(text, stated.get("roleRef")))


def _shorten(text: str, role: object) -> str:
    """What is still asked of it, and that it is this one."""
    known = {"roleRef": role} if len(_write(role)) <= _LONGEST_ROLE else {}
    return _write({**known, "digest": hashlib.sha256(text.encode()).hexdigest()})


def _write(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_role(content: str) -> object:
    """Which role a RoleBinding binds; the API server lets nobody change that."""
    return mapping(json.loads(content)).get("roleRef")


def read_subjects(content: str) -> list[Any] | None:
    """To whom a RoleBinding gives it; None: to so many that they were not kept."""
    stated = mapping(json.loads(content))
    return None if "digest" in stated else items(stated.get("subjects"))


def spell_quantity(value: object) -> str:
    """One spelling for all that mean the same; what is no quantity stays."""
    text = str(value)
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_QUANTITY else None
    if (
        match is None
        or (match[3] or "") not in _SUFFIXES
        or len(match[2] or "") > _LONGEST_EXPONENT
    ):
        return text
    number = Decimal(match[1] + (match[2] or "")) * _SUFFIXES[match[3] or ""]
    return f"{number.normalize():f}"


def _spell_spec(kind: object, spec: RawDocument) -> RawDocument:
    if kind == "ResourceQuota":
        spec = {**spec, "hard": _spell_quantities(spec.get("hard"))}
    elif kind == "LimitRange":
        spec = {**spec, "limits": [_spell_limits(item) for item in documents(spec.get("limits"))]}
    elif kind == "NetworkPolicy":
        spec = {
            **spec,
            **{way: [_spell_rule(rule) for rule in documents(spec.get(way))] for way in _WAYS},
        }
    return {key: value for key, value in spec.items() if value not in (None, [], {})}


_WAYS: Final = ("ingress", "egress")


def _spell_quantities(value: object) -> dict[str, str]:
    return {name: spell_quantity(amount) for name, amount in mapping(value).items()}


def _spell_limits(item: RawDocument) -> RawDocument:
    """With what API servers fill in for containers: what is not said follows from what is."""
    found: dict[str, Any] = {
        key: _spell_quantities(value) if isinstance(value, dict) else value
        for key, value in item.items()
    }
    if item.get("type") == "Container":
        ceiling, floor = mapping(found.get("max")), mapping(found.get("min"))
        default = {**ceiling, **mapping(found.get("default"))}
        request = {**floor, **default, **mapping(found.get("defaultRequest"))}
        found |= {"default": default, "defaultRequest": request}
    return {key: value for key, value in found.items() if value != {}}


def _spell_rule(rule: RawDocument) -> RawDocument:
    ports = [{"protocol": "TCP", **port} for port in documents(rule.get("ports"))]
    rest = {key: value for key, value in rule.items() if key != "ports" and value not in (None, [])}
    return {**rest, **({"ports": ports} if ports else {})}
