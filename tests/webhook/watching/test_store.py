"""What a store remembers, finds by index, and tells."""

from collections.abc import Iterable

from webhook.watching.store import Change, Store


def split(_key: str, value: str) -> Iterable[str]:
    return value.split()


def test_it_remembers_what_it_was_given() -> None:
    store: Store[str] = Store()
    assert (store.get("a"), store.synced, len(store)) == (None, False, 0)
    store.put("a", "1")
    assert not store.synced  # that is one object, not all
    store.replace({"a": "2", "b": "3"})
    assert (store.get("a"), store.synced, store.items()) == ("2", True, [("a", "2"), ("b", "3")])
    store.put("a", None)
    assert (store.get("a"), len(store)) == (None, 1)


def test_waiting_ends_with_the_first_list() -> None:
    store: Store[str] = Store()
    assert not store.wait(0)
    store.replace({})
    assert store.wait(0)


def test_listeners_hear_of_what_makes_a_difference_when_the_store_has_it() -> None:
    store: Store[str] = Store()
    heard: list[tuple[Change[str], str | None]] = []
    store.listen(lambda change: heard.append((change, store.get(change.key))))
    store.replace({"a": "1", "b": "2"})
    store.put("a", "1")
    store.put("c", None)
    store.put("a", "3")
    store.replace({"a": "3"})
    assert heard == [
        (("a", None, "1"), "1"),
        (("b", None, "2"), "2"),
        (("a", "1", "3"), "3"),
        (("b", "2", None), None),
    ]


def test_an_index_follows_its_objects() -> None:
    store: Store[str] = Store()
    store.add_index("word", split)
    store.replace({"a": "x y", "b": "y"})
    assert (store.find("word", "x"), store.find("word", "y")) == (["a"], ["a", "b"])
    store.put("a", "z x")
    assert [store.find("word", word) for word in "xyz"] == [["a"], ["b"], ["a"]]
    store.put("b", None)
    assert store.find("word", "y") == []


def test_a_listener_may_ask_the_store() -> None:
    """It is not called under the store's lock."""
    store: Store[str] = Store()
    store.add_index("word", split)
    found: list[list[str]] = []
    store.listen(lambda _: found.append(store.find("word", "x")))
    store.put("a", "x")
    assert found == [["a"]]
