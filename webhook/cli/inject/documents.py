"""Owns YAML files with many documents: which there are, and how a changed one is written.

Must not know what they describe. A document that nobody changed keeps its text, comments and all.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

# At the start of a line this ends a document even within a block of text.
_MARK: Final = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
# Plain, other readers of YAML than ours would take these for numbers or truth values.
_AMBIGUOUS: Final = re.compile(r"[-+.0-9].*|[yYnN~=]|", re.DOTALL)
# With aliases, a few hundred bytes can stand for more than any memory holds.
_MAX_REPEATED: Final = 100_000
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class DocumentError(ValueError):
    """A document cannot be read; the text says which, and where."""


class Document(NamedTuple):
    """One document: its text, and what it says; `content` is None when it is empty."""

    text: str
    content: Any


def split_documents(text: str, source: str) -> Iterator[Document]:
    """Every document of a file, in order."""
    for number, part in enumerate(_MARK.split(text), start=1):
        try:
            yield Document(part, _load(part))
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            where = getattr(error, "problem_mark", None)
            line = f", line {where.line + 1} of it" if where is not None else ""
            problem = getattr(error, "problem", None) or str(error)
            raise DocumentError(f"{source}: document {number}{line}: {problem}") from None


def _load(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count_written(node, {}) > _MAX_REPEATED and loader.repeats:
            raise ValueError(
                f"with its aliases written out it has more than {_MAX_REPEATED} parts: "
                "write it without so many"
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count_written(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many nodes there are where no alias is left: that is how it would be printed."""
    if id(node) not in counted:
        counted[id(node)] = _MAX_REPEATED + 1  # for one that holds itself
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for item in below for part in (item if isinstance(item, tuple) else (item,)))
        counted[id(node)] = 1 + sum(_count_written(part, counted) for part in parts)
    return counted[id(node)]


def join_documents(texts: list[str]) -> str:
    """One file of them again."""
    return "---".join(texts)


def render_document(content: Any) -> str:
    """The text of a changed document, as it stands behind its mark."""
    text: str = yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20
    )
    return f"\n{text}"


class _Loader(yaml.SafeLoader):
    """Keeps what looks like a date as text, as kubectl does, and takes no key twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base class declares it so
        first: [(tag, form) for tag, form in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    repeats = False

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.repeats = self.repeats or self.check_event(yaml.AliasEvent)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen and isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is there twice", key_node.start_mark
                )
            seen.add(key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node))
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)
