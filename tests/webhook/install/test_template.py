"""Each value ends up where its setting goes, and what differs between choices has a condition."""

from typing import Any

import pytest

from webhook.install.files import render_files
from webhook.install.remarks import Remarked
from webhook.install.template import (
    Choice,
    Each,
    Expression,
    Template,
    combine,
    make_documents,
    substitute,
)
from webhook.install.template_text import TemplateWriter
from webhook.install.values import VALUES, Value

TEMPLATES = "".join(
    text for name, text in render_files().items() if name.startswith("chart/templates/")
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.path)
def test_every_value_is_used(value: Value) -> None:
    assert f".Values.{value.path}" in TEMPLATES


def test_no_probe_is_left() -> None:
    assert "probe-" not in TEMPLATES
    assert "probe." not in TEMPLATES
    assert "4171" not in TEMPLATES
    assert "\0" not in TEMPLATES


def test_the_namespace_is_the_release_s() -> None:
    assert "mca-system" not in TEMPLATES
    assert "Namespace" not in {document.kind for document in make_documents()}


@pytest.mark.parametrize(
    ("probe", "made"),
    [
        ("probe-user", Expression(".Values.admins.users | toRawJson")),
        ("probe-priority", Expression(
            ".Values.webhook.priorityClassName | toRawJson", "webhook.priorityClassName")),
        (41714171, Expression(".Values.webhook.replicas | int")),
        ("probe-namespace", Expression(".Release.Namespace | toRawJson")),
        ([{"port": 41714172}],
         Each("networkPolicy.apiServerPorts", {"port": Expression("int .")})),
        ([{"key": "probe-toleration"}],
         Each("webhook.tolerations", Expression("toRawJson ."), "webhook.tolerations")),
        ("plain {{legend}}", Template('plain {{\0"{{"\0}}legend}}')),
        (["a", 1, None, True], ["a", 1, None, True]),
    ],
)  # fmt: skip
def test_expressions_take_the_place_of_probes(probe: Any, made: Any) -> None:
    assert substitute(probe) == made


def test_what_differs_becomes_a_choice() -> None:
    no = Remarked("why", {"a": 1, "b": {"c": [1, {"d": 2}]}, "only": 3})
    yes = {"a": 1, "b": {"c": [1, {"d": 4}]}, "more": 5}
    made = combine(no, yes, ".x")
    assert made["a"] == 1
    assert made["b"] == {"c": [1, {"d": Choice(".x", 4, 2)}]}
    assert isinstance(made, Remarked)
    text = TemplateWriter().write_document(made)
    assert text.splitlines() == [
        "# why",
        "a: 1",
        "b:",
        "  c:",
        "    - 1",
        "    - {{- if .x }}",
        "      d: 4",
        "      {{- else }}",
        "      d: 2",
        "      {{- end }}",
        "{{- if not .x }}",
        "only: 3",
        "{{- end }}",
        "{{- if .x }}",
        "more: 5",
        "{{- end }}",
    ]
