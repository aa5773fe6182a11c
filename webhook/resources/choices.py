"""Owns which namespaces may be a tenant's: those named, and those with certain labels.

Must not know whose a namespace is: claims do.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from webhook.resources.meta import Meta, RawDocument, documents, mapping, text_list, texts
from webhook.resources.names import OUR_PREFIX

OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


class NamespaceChoice(NamedTuple):
    """Which namespaces may be the tenant's, and what becomes of those that it made."""

    names: tuple[str, ...] = ()
    labels: dict[str, str] = {}  # noqa: RUF012 - nobody writes into it
    expressions: tuple[RawDocument, ...] = ()
    create: bool = False
    reclaim: Literal["retain", "delete"] = "retain"


def judge_choice(choice: RawDocument) -> list[str]:
    selector = mapping(choice.get("selector"))
    expressions = documents(selector.get("matchExpressions"))
    keys = [*texts(selector.get("matchLabels")), *(str(entry.get("key")) for entry in expressions)]
    path = "spec.namespaces.selector"
    problems = []
    if any(not key.startswith(OUR_PREFIX) for key in keys):
        problems.append(f"{path}: must use labels of mca.io/ only: tenants can set others")
    if "selector" in choice and not keys:
        problems.append(f"{path}: is empty and would take every namespace: name a label")
    for entry in expressions:
        operator, values = entry.get("operator"), text_list(entry.get("values"))
        if operator not in OPERATORS or (operator in OPERATORS[:2]) != bool(values):
            problems.append(
                f"{path}.matchExpressions: must be In or NotIn with values, or Exists or "
                "DoesNotExist without"
            )
    if choice.get("reclaim", "retain") not in ("retain", "delete"):
        problems.append("spec.namespaces.reclaim: must be one of retain, delete")
    return problems


def read_choice(choice: RawDocument) -> NamespaceChoice:
    selector = mapping(choice.get("selector"))
    return NamespaceChoice(
        tuple(dict.fromkeys(text_list(choice.get("names")))),
        texts(selector.get("matchLabels")),
        documents(selector.get("matchExpressions")),
        choice.get("create") is True,
        choice.get("reclaim", "retain"),
    )


def choice_matches(choice: NamespaceChoice, namespace: Meta) -> bool:
    """Whether a namespace is named, or its labels are those that are selected."""
    if namespace.name in choice.names:
        return True
    if not choice.labels and not choice.expressions:
        return False
    labels = namespace.labels
    return all(labels.get(key) == value for key, value in choice.labels.items()) and all(
        _expression_matches(expression, labels) for expression in choice.expressions
    )


def _expression_matches(expression: RawDocument, labels: Mapping[str, str]) -> bool:
    value = labels.get(str(expression.get("key")))
    match expression.get("operator"):
        case "In":
            return value in text_list(expression.get("values"))
        case "NotIn":
            return value not in text_list(expression.get("values"))
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
