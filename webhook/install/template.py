"""Owns how the objects become the chart's: each value is put where its setting goes.

Nothing is written twice: the objects are built with a probe for every value, and where a probe
turns up, the value's expression takes its place. Must not know any object, nor write one.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.objects import assemble
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings
from webhook.install.values import VALUES, Value

_NAMESPACE: Final = "probe-namespace"
GAP: Final = "\0"  # for a space within an expression, where no line may be broken
MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Expression:
    """What Helm puts in place of a whole node; nothing at all if `unless_empty` is empty."""

    text: str
    unless_empty: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in it."""

    text: str


@dataclass(frozen=True, slots=True)
class Each:
    """A list with an item for every one of a value's."""

    path: str
    item: Any
    unless_empty: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One or the other; either may be missing."""

    path: str
    yes: Any
    no: Any


@dataclass(frozen=True, slots=True)
class Document:
    """One object of the chart, and the values on which it is there at all."""

    kind: str
    conditions: tuple[str, ...]
    body: Any


def make_documents() -> list[Document]:
    """Every object that some values ask for, but for the namespace: Helm makes that."""
    built = _build()
    other = _build(cert_manager=True)
    switches = [
        value
        for value in VALUES
        if value.optional or value.probe is True or isinstance(value.probe, tuple)
    ]
    gone = {
        value.path: built.keys() - _build(**{value.field: _empty(value)}).keys()
        for value in switches
        if value.field != "cert_manager"
    }
    made = []
    for key in [*built, *(key for key in other if key not in built)]:
        conditions = [f".Values.{path}" for path, keys in gone.items() if key in keys]
        if key not in built:
            conditions.append(".Values.certManager.enabled")
        elif key not in other:
            conditions.append("(not .Values.certManager.enabled)")
        first, second = built.get(key, other.get(key)), other.get(key, built.get(key))
        body = substitute(combine(first, second, ".Values.certManager.enabled"))
        made.append(Document(key[0], tuple(conditions), body))
    return [document for document in made if document.kind != "Namespace"]


def _build(**changes: Any) -> dict[tuple[str, str], RawDocument]:
    """The objects with a probe for every value; certificates of its own unless told otherwise."""
    plain = InstallSettings(sidecar_image="", control_image="", namespace=_NAMESPACE)
    for value in VALUES:
        name, _, part = value.field.partition(".")
        given = value.probe
        if part:
            given = getattr(plain, name)._replace(**{part: given})
        plain = dataclasses.replace(plain, **{name: given})
    settings = dataclasses.replace(plain, **{"cert_manager": False, **changes})
    return {(each["kind"], each["metadata"]["name"]): each for each in assemble(settings)}


def _empty(value: Value) -> Any:
    return type(value.probe)()


def combine(no: Any, yes: Any, path: str) -> Any:
    """One tree of both, with a Choice where they differ."""
    if isinstance(no, dict) and isinstance(yes, dict):
        keys = [*no, *(key for key in yes if key not in no)]
        merged = {key: combine(no.get(key, MISSING), yes.get(key, MISSING), path) for key in keys}
        return Remarked(no.remark, merged) if isinstance(no, Remarked) else merged
    if isinstance(no, list) and isinstance(yes, list) and len(no) == len(yes):
        return [combine(*pair, path) for pair in zip(no, yes, strict=True)]
    return no if no == yes else Choice(path, yes, no)


def substitute(node: Any) -> Any:
    """Expressions in place of probes."""
    if isinstance(node, Choice):
        return Choice(node.path, substitute(node.yes), substitute(node.no))
    for value in VALUES:
        if value.probe is not True and node == value.probe:
            expression = value.leaf.format(f".Values.{value.path}")
            return Expression(expression, value.path if value.optional else "")
    if isinstance(node, dict):
        mapping = {key: substitute(item) for key, item in node.items()}
        return Remarked(node.remark, mapping) if isinstance(node, Remarked) else mapping
    if isinstance(node, list):
        return _substitute_list(node)
    return _substitute_text(node) if isinstance(node, str) else node


def _substitute_list(node: list[Any]) -> Any:
    for value in VALUES:
        if isinstance(value.probe, tuple) and len(node) == 1:
            probe, item = value.probe[0], node[0]
            unless_empty = value.path if value.optional else ""
            if item == probe:
                return Each(value.path, Expression("toRawJson ."), unless_empty)
            if isinstance(item, Mapping) and probe in item.values():
                shown = Expression("int ." if isinstance(probe, int) else "toRawJson .")
                made = {key: shown if each == probe else each for key, each in item.items()}
                return Each(value.path, made, unless_empty)
    return [substitute(item) for item in node]


def _substitute_text(text: str) -> Any:
    if text == _NAMESPACE:
        return Expression(".Release.Namespace | toRawJson")
    made = text.replace("{{", _write('"{{"'))
    for value in VALUES:
        path = f".Values.{value.path}"
        if isinstance(value.probe, tuple) and isinstance(value.probe[0], str):
            whole = value.leaf.format(path)
            if text == value.probe[0]:
                return Expression(whole)
            written = value.written.format(path)
            made = made.replace(f'["{value.probe[0]}"]', _write(f"include {written}"))
            if value.joined:
                more = value.glue.format(value.probe[0])
                made = made.replace(more, _write(f"include {value.joined}"))
        elif isinstance(value.probe, str):
            made = made.replace(value.probe, _write(path))
    made = made.replace(_NAMESPACE, _write(".Release.Namespace"))
    return text if made == text else Template(made)


def _write(expression: str) -> str:
    return f"{{{{ {expression} }}}}".replace(" ", GAP)
