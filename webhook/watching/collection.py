"""Owns what is watched: a path, which objects of it, and how little of each is kept.

Must not talk to anybody.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from webhook.kube import RawDocument

T = TypeVar("T")
Key = str  # "name", or "namespace/name"


class Collection(NamedTuple, Generic[T]):
    """Objects of one kind. `project` may not raise; what it makes None is not kept.

    What it keeps should be small, and equal for whoever follows if nothing has changed for them.
    """

    path: str
    project: Callable[[RawDocument], T | None]
    query: tuple[tuple[str, str], ...] = ()
    # A kind that the server does not know counts as one without objects.
    optional: bool = False

    @property
    def resource(self) -> str:
        """Its plural name, and that of a single object, for metrics and logs."""
        fields = dict(self.query).get("fieldSelector", "")
        _, _, name = fields.partition("metadata.name=")
        return self.path.rpartition("/")[2] + (f"/{name}" if name else "")


def key_of(raw: RawDocument) -> Key:
    """By which an object is known."""
    meta = raw.get("metadata") or {}
    namespace = meta.get("namespace")
    return f"{namespace}/{meta.get('name')}" if namespace else str(meta.get("name"))
