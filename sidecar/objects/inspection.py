"""Owns what is asked of an answer's objects, and how each is judged. Pure.

Must not read a format: json_objects and protobuf_objects find the values that are judged here.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sidecar.versions import tag, tag_continue

if TYPE_CHECKING:
    from collections.abc import Callable

# The most that one object, or one event of a watch, may hold; the API server takes no larger body.
MAX_OBJECT_BYTES = 3 << 20


class TransformError(ValueError):
    """The answer cannot be passed on; the text says why, and holds nothing of the answer."""


class Transform(Protocol):
    """A body on its way, without its framing."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece; return what may go on so far."""
        ...

    def finish(self) -> bytes:
        """The body has ended; return the rest."""
        ...


class Expected(enum.Enum):
    """What may stand at a place."""

    OBJECT = enum.auto()  # of the namespace
    OBJECT_OR_STATUS = enum.auto()  # a Status belongs to none
    WRAPPER = enum.auto()  # a list, Table, bookmark or error: it names none, or the right one


class Inspection(NamedTuple):
    """What is asked of an answer."""

    namespace: str  # that every object must belong to; "" asks for none
    code: int | None = None  # the member's, that versions are tagged with; None: they are not
    watch: bool = False

    def check(self, namespace: str | None, *, required: bool) -> None:
        """Judge an object's namespace; None: it names none."""
        if not self.namespace or namespace == self.namespace:
            return
        if namespace is None and not required:
            return
        error = f"it holds an object of a foreign namespace, not of {self.namespace}"
        raise TransformError(error)

    def tagged(self, version: str) -> str:
        """A resourceVersion as the client gets it."""
        return self._tagged(tag, version)

    def tagged_continue(self, token: str) -> str:
        """A continue token as the client gets it."""
        return self._tagged(tag_continue, token)

    def _tagged(self, tagging: Callable[[str, int], str], text: str) -> str:
        if self.code is None:
            return text
        try:
            return tagging(text, self.code)
        except ValueError as failure:
            raise TransformError(str(failure)) from None
