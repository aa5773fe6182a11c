"""Owns the form in which the controller's work is given to the engine.

Must not run anything.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from webhook.watching.collection import Key
from webhook.watching.store import Change, Store

T = TypeVar("T")


class Follow(NamedTuple, Generic[T]):
    """A store, and which of a part's own keys a change of it concerns."""

    store: Store[T]
    keys: Callable[[Change[T]], Iterable[Key]]


def in_one_group(_key: Key) -> str:
    """Where no key is another's."""
    return ""


def forget_nothing() -> None:
    """Where nothing is remembered that another leader may have made untrue."""


def stands_for_itself(_key: Key) -> Iterable[Key] | None:
    """Where no key stands for others."""
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of work, done key by key.

    `reconcile` looks at what there is, not at what has changed, and may be called at any time: it
    returns after how many seconds it wants to be called again, or None. It may raise KubeError; a
    key is then done again later. One key is never in two hands. A key may stand for others, which
    it is then exchanged for: what concerns many is looked up once, however often it changes.
    """

    name: str
    reconcile: Callable[[Key], float | None]
    follows: tuple[Follow[Any], ...] = ()
    seeds: tuple[Key, ...] = ()  # keys that come of no object
    workers: int = 1
    # Groups take turns, and none has more than half of the workers; but "" goes first, with all.
    group: Callable[[Key], str] = in_one_group
    # What others make depends on what it finds: whoever begins to lead waits a while for this.
    found: Callable[[], bool] | None = None
    # Called before anything else by whoever begins to lead: others have worked meanwhile.
    begin_term: Callable[[], None] = forget_nothing
    expand: Callable[[Key], Iterable[Key] | None] = stands_for_itself
