"""Who finds room beside whom."""

from hypothesis import given, strategies as st

from webhook.admission.room import Room


def fill(room: Room, peer: str, namespace: str = "x", size: int = 10) -> int:
    """How many of this size it takes."""
    count = 0
    while room.take(peer, namespace, size):
        count += 1
    return count


def test_a_namespace_has_half_of_its_peer_and_the_next_half_of_the_rest() -> None:
    room = Room(1000)
    assert fill(room, "p", "a") == 25
    assert fill(room, "p", "b") == 12
    assert fill(room, "p", "c") == 6
    assert not room.take("p", "a", 10)


def test_a_peer_has_half_whatever_it_says_of_its_namespaces() -> None:
    room = Room(1000)
    liar = sum(fill(room, "liar", f"n{number}") for number in range(100))
    assert liar < 50
    assert fill(room, "honest", "a") >= 12
    assert fill(room, "other", "a") >= 6


def test_what_is_given_back_is_free_for_all() -> None:
    room = Room(1000)
    count = fill(room, "p", "a")
    for _ in range(count):
        room.give_back("p", "a", 10)
    assert fill(room, "q", "b") == count


def test_a_place_gives_back_all_that_it_holds() -> None:
    room = Room(1000)
    place = room.enter("p", "a")
    assert place.grow(100)
    assert place.grow(100)
    assert not place.grow(200)
    place.leave()
    place.leave()
    assert fill(room, "p", "b") == 25


takings = st.tuples(st.sampled_from("pqr"), st.sampled_from("abcd"), st.integers(1, 300))


@given(st.lists(takings, max_size=60))
def test_never_more_than_there_is(wanted: list[tuple[str, str, int]]) -> None:
    room = Room(1000)
    taken: list[tuple[str, str, int]] = []
    for peer, namespace, size in wanted:
        if room.take(peer, namespace, size):
            taken.append((peer, namespace, size))
        assert sum(item[2] for item in taken) <= 1000
        assert sum(item[2] for item in taken if item[0] == peer) <= 500
        assert sum(item[2] for item in taken if item[:2] == (peer, namespace)) <= 250
    for peer, namespace, size in taken:
        room.give_back(peer, namespace, size)
    assert fill(room, "z") == 25
