"""Owns remarks: what the YAML says about an object or a part of it, kept beside that part.

Must not know how remarks are written.
"""

from typing import Any

RawDocument = dict[str, Any]


class Remarked(RawDocument):
    """A mapping like any other that also tells the reader why it is there."""

    def __init__(self, text: str, mapping: RawDocument) -> None:
        super().__init__(mapping)
        self.remark = " ".join(text.split())


def strip_remarks(node: Any) -> Any:
    """The same out of plain mappings and lists, for whoever sends or compares it."""
    if isinstance(node, dict):
        return {key: strip_remarks(value) for key, value in node.items()}
    if isinstance(node, list):
        return [strip_remarks(item) for item in node]
    return node
