"""Owns how the chart's objects are written, with Helm's expressions and conditions in them.

Must not choose where one stands: template.py does.
"""

from collections.abc import Iterable
from typing import Any

from webhook.install.template import GAP, MISSING, Choice, Document, Each, Expression, Template
from webhook.install.text import Writer, shift, write_folded, write_text


class TemplateWriter(Writer):
    """Writes the nodes above beside those of YAML."""

    def write_template(self, documents: Iterable[Document]) -> str:
        """One file."""
        return "".join(self._write_document(document) for document in documents)

    def _write_document(self, document: Document) -> str:
        text = f"---\n{self.write_document(document.body)}"
        for condition in document.conditions:
            text = f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n"
        return text

    def entry(self, key: str, value: Any) -> list[str]:
        """With the conditions on which it is there."""
        if isinstance(value, Choice):
            return _choose(
                value,
                [] if value.yes is MISSING else self.entry(key, value.yes),
                [] if value.no is MISSING else self.entry(key, value.no),
            )
        if isinstance(value, Each):
            lines = [f"{key}:", *shift(self.lines(value))]
        else:
            lines = super().entry(key, value)
        if isinstance(value, Expression | Each) and value.unless_empty:
            return [f"{{{{- if .Values.{value.unless_empty} }}}}", *lines, "{{- end }}"]
        return lines

    def lines(self, node: Any) -> list[str]:
        """A list by a value has as many items as that."""
        if isinstance(node, Each):
            return [f"{{{{- range .Values.{node.path} }}}}", *self.item(node.item), "{{- end }}"]
        return super().lines(node)

    def scalar(self, value: Any) -> list[str]:
        """An expression as it is; texts around one are quoted or folded."""
        if isinstance(value, Expression):
            return [f"{{{{ {value.text} }}}}"]
        if isinstance(value, Template):
            return _write_template_text(value.text)
        return super().scalar(value)


def _choose(choice: Choice, yes: list[str], no: list[str]) -> list[str]:
    if not yes:
        return [f"{{{{- if not {choice.path} }}}}", *no, "{{- end }}"]
    middle = ["{{- else }}", *no] if no else []
    return [f"{{{{- if {choice.path} }}}}", *yes, *middle, "{{- end }}"]


def _write_template_text(text: str) -> list[str]:
    if "\n" in text:
        return write_text(text.replace(GAP, " "))
    lines = write_folded(text) if '"' in text or "\\" in text else [f'"{text}"']
    return [line.replace(GAP, " ") for line in lines]
