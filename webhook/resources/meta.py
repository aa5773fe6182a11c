"""Owns what is read of any object's metadata, and the form of an object that cannot be taken.

Must not know kinds.
"""

from typing import Any, NamedTuple

RawDocument = dict[str, Any]


class Meta(NamedTuple):
    """Metadata. What is missing or of another type is empty."""

    name: str
    uid: str = ""
    namespace: str = ""
    generation: int = 0
    labels: dict[str, str] = {}  # noqa: RUF012 - nobody writes into it
    annotations: dict[str, str] = {}  # noqa: RUF012
    deleting: bool = False
    resource_version: str = ""
    finalizers: tuple[str, ...] = ()


class Invalid(NamedTuple):
    """An object that cannot be taken, and why: each problem names its field and the remedy."""

    meta: Meta
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.meta.name


def read_meta(document: RawDocument) -> Meta:
    """The metadata of any object."""
    metadata = mapping(document.get("metadata"))
    generation = metadata.get("generation")
    return Meta(
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        namespace=_text(metadata.get("namespace")),
        generation=generation if isinstance(generation, int) else 0,
        labels=texts(metadata.get("labels")),
        annotations=texts(metadata.get("annotations")),
        deleting=bool(metadata.get("deletionTimestamp")),
        resource_version=_text(metadata.get("resourceVersion")),
        finalizers=text_list(metadata.get("finalizers")),
    )


def mapping(value: object) -> RawDocument:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def documents(value: object) -> tuple[RawDocument, ...]:
    """The objects of a list."""
    return tuple(item for item in items(value) if isinstance(item, dict))


def texts(value: object) -> dict[str, str]:
    """Those entries of an object that are text."""
    return {key: text for key, text in mapping(value).items() if isinstance(text, str)}


def text_list(value: object) -> tuple[str, ...]:
    """Those entries of a list that are text."""
    return tuple(item for item in items(value) if isinstance(item, str))


def items(value: object) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
