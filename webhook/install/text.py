"""Owns how objects become YAML with their remarks: as it is, and for whoever applies it.

Must not know Helm: template_text.py adds that.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from webhook.install.objects import assemble, build_objects
from webhook.install.remarks import Remarked
from webhook.install.settings import InstallSettings

_WIDTH: Final = 96
_SHORT: Final = 72
_INDENT: Final = "  "


class Writer:
    """Writes mappings, lists and scalars; whoever has other nodes extends it."""

    def write_documents(self, documents: list[Any]) -> str:
        """All of them, each with its remark above it."""
        return "".join(f"---\n{self.write_document(document)}" for document in documents)

    def write_document(self, document: Any) -> str:
        """One, without the line that parts it from others."""
        return "".join(f"{line}\n" for line in [*self._remark(document), *self.lines(document)])

    def lines(self, node: Any) -> list[str]:
        """A node in block style."""
        if isinstance(node, dict) and node:
            return [line for key, value in node.items() for line in self.entry(key, value)]
        if isinstance(node, list) and node:
            return [line for item in node for line in self.item(item)]
        return self.scalar(node)

    def entry(self, key: str, value: Any) -> list[str]:
        """`key: value`, or the key and what is below it."""
        name = _inline(key)
        if (short := self._write_short(value)) is not None:
            return [f"{name}: {short}"]
        if isinstance(value, dict | list) and value:
            remark = self._remark(value) if isinstance(value, dict) else []
            return [*remark, f"{name}:", *shift(self.lines(value))]
        first, *rest = self.scalar(value)
        return [f"{name}: {first}", *shift(rest)]

    def item(self, value: Any) -> list[str]:
        """`- value`, over as many lines as it takes."""
        first, *rest = self.lines(value)
        return [*self._remark(value), f"- {first}", *shift(rest)]

    def scalar(self, value: Any) -> list[str]:
        """On one line if it fits; long texts are folded, those of many lines kept as they are."""
        if isinstance(value, str):
            return write_text(value)
        if value == {} or value == []:
            return [str(value)]
        return [_inline(value)]

    def _write_short(self, node: Any) -> str | None:
        """A list of a few scalars on one line."""
        if not isinstance(node, list) or not all(map(_is_short, node)):
            return None
        shown = _inline(node)
        return shown if len(shown) <= _SHORT else None

    def _remark(self, node: Any) -> list[str]:
        return [f"# {line}" for line in _wrap(node.remark)] if isinstance(node, Remarked) else []


def render_yaml(settings: InstallSettings) -> str:
    """What `kubectl apply --server-side -f` takes; a ValueError as by `build_objects`."""
    build_objects(settings)
    return Writer().write_documents(assemble(settings))


def write_text(text: str) -> list[str]:
    """A string that is read as this very string."""
    if "\n" in text:
        return write_literal(text)
    plain = _inline(text)
    foldable = text == text.strip() and "  " not in text and text.isprintable()
    return write_folded(text) if len(plain) > _WIDTH and foldable else [plain]


def write_literal(text: str) -> list[str]:
    """Line by line, as it stands."""
    lines = text[:-1].split("\n")
    regular = text.endswith("\n") and lines[0].strip() and lines[-1] and not text[0].isspace()
    return ["|", *lines] if regular and all(map(str.isprintable, lines)) else [_inline(text)]


def write_folded(text: str) -> list[str]:
    """Broken at single spaces, which is where reading puts them back."""
    return [">-", *_wrap(text)]


def _inline(value: Any) -> str:
    """On one line, whatever it holds."""
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    shown = yaml.safe_dump(
        value,
        default_flow_style=True,
        default_style=style,
        width=1 << 20,
        allow_unicode=style is None,
        sort_keys=False,
    )
    return shown.removesuffix("\n").removesuffix("\n...")


def _is_short(item: Any) -> bool:
    return type(item) is int or (type(item) is str and item.isprintable())


def shift(lines: list[str]) -> list[str]:
    return [f"{_INDENT}{line}" if line else line for line in lines]


def _wrap(text: str) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
