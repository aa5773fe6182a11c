"""Owns what is remembered of watched objects, and who is told of a change.

Must not ask anybody: a reflector fills it. May be read from any thread; those who listen are called
in the reflector's thread, when the store already has what they are told.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from webhook.watching.collection import Key

T = TypeVar("T")


class Change(NamedTuple, Generic[T]):
    """What became of one object: without `old` it is new, without `new` it is gone."""

    key: Key
    old: T | None
    new: T | None


class _Index(Generic[T]):
    """Keys by words that are made of the objects."""

    def __init__(self, words: Callable[[Key, T], Iterable[str]]) -> None:
        self._words = words
        self._keys: dict[str, dict[Key, None]] = {}

    def find(self, word: str) -> list[Key]:
        return list(self._keys.get(word, ()))

    def take(self, change: Change[T]) -> None:
        key, old, new = change
        before = set() if old is None else set(self._words(key, old))
        after = set() if new is None else set(self._words(key, new))
        for word in before - after:
            keys = self._keys[word]
            del keys[key]
            if not keys:
                del self._keys[word]
        for word in after - before:
            self._keys.setdefault(word, {})[key] = None


class Store(Generic[T]):
    """The objects of one collection, as they were last seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Key, T] = {}
        self._indexes: dict[str, _Index[T]] = {}
        self._listeners: list[Callable[[Change[T]], Any]] = []
        self._filled = threading.Event()

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def synced(self) -> bool:
        """Whether the first list is in; what is not in the store before may still be there."""
        return self._filled.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Until the first list is in; False if that took too long."""
        return self._filled.wait(timeout_s)

    def get(self, key: Key) -> T | None:
        """One object."""
        return self._objects.get(key)

    def items(self) -> list[tuple[Key, T]]:
        """All of them, as they are now."""
        with self._lock:
            return list(self._objects.items())

    def add_index(self, name: str, words: Callable[[Key, T], Iterable[str]]) -> None:
        """Objects can be found by these words from now on. Before the store is filled."""
        self._indexes[name] = _Index(words)

    def find(self, index: str, word: str) -> list[Key]:
        """The keys of the objects that have this word."""
        with self._lock:
            return self._indexes[index].find(word)

    def listen(self, tell: Callable[[Change[T]], Any]) -> None:
        """Be told of each change that makes a difference. It must be quick, and may not raise."""
        self._listeners.append(tell)

    def put(self, key: Key, value: T | None) -> None:
        """Take one object as it is now; None: it is gone."""
        with self._lock:
            change = self._take(key, value)
        self._tell([change] if change else [])

    def replace(self, values: Mapping[Key, T]) -> None:
        """Take all objects as they are now."""
        with self._lock:
            gone = [key for key in self._objects if key not in values]
            changes = [self._take(key, None) for key in gone]
            changes += [self._take(key, value) for key, value in values.items()]
            self._filled.set()
        self._tell(change for change in changes if change)

    def _take(self, key: Key, value: T | None) -> Change[T] | None:
        change = Change(key, self._objects.get(key), value)
        if change.old == value:
            return None
        if value is None:
            del self._objects[key]
        else:
            self._objects[key] = value
        for index in self._indexes.values():
            index.take(change)
        return change

    def _tell(self, changes: Iterable[Change[T]]) -> None:
        for change in changes:
            for tell in self._listeners:
                tell(change)
