"""Who finds room beside whom."""

from hypothesis import given, strategies as st

from webhook.admission.room import Room


def fill(room: Room, namespace: str, size: int = 10) -> int:
    """How many of this size it takes."""
    count = 0
    while room.take(namespace, size):
        count += 1
    return count


def test_one_alone_has_half_and_the_next_half_of_the_rest() -> None:
    room = Room(1000)
    assert fill(room, "a") == 50
    assert fill(room, "b") == 25
    assert fill(room, "c") == 12
    assert not room.take("a", 10)


def test_what_is_given_back_is_free_for_all() -> None:
    room = Room(1000)
    count = fill(room, "a")
    for _ in range(count):
        room.give_back("a", 10)
    assert fill(room, "b") == count


def test_who_holds_little_comes_before_who_holds_much() -> None:
    room = Room(1000)
    fill(room, "a")
    assert room.take("b", 10)
    room.give_back("a", 10)
    assert not room.take("a", 20)
    assert room.take("b", 200)


takings = st.tuples(st.sampled_from("abcd"), st.integers(1, 300))


@given(st.lists(takings, max_size=60))
def test_never_more_than_there_is(wanted: list[tuple[str, int]]) -> None:
    room = Room(1000)
    taken: list[tuple[str, int]] = []
    for namespace, size in wanted:
        if room.take(namespace, size):
            taken.append((namespace, size))
        assert sum(size for _, size in taken) <= 1000
        held = sum(size for other, size in taken if other == namespace)
        assert held <= 500
    for namespace, size in taken:
        room.give_back(namespace, size)
    assert fill(room, "z") == 50
