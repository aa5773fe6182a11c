"""How much fits, counted exactly."""

import json

import pytest
from hypothesis import given, strategies as st

from webhook.controller.compiling.fitting import (
    MAX_BYTES,
    MAX_SENT_BYTES,
    canonical,
    count_fitting,
    count_sent,
    fits,
)

ENTRY = {"name": "x" * 1000}


def test_one_spelling() -> None:
    assert canonical({"b": [1, {"d": None}], "a": "é"}) == b'{"a":"\\u00e9","b":[1,{"d":null}]}'


def test_as_many_as_fit() -> None:
    entries = [ENTRY] * 2000
    count = count_fitting({"routes": []}, entries)
    assert 0 < count < 2000
    size = len(canonical({"routes": entries[:count]}))
    assert MAX_BYTES - len(canonical(ENTRY)) - 2 <= size <= MAX_BYTES


def test_few_fit() -> None:
    assert count_fitting({}, [ENTRY] * 3) == 3
    assert count_fitting({}, []) == 0


def test_nothing_fits_beside_too_large_a_base() -> None:
    assert count_fitting({"base": "x" * MAX_BYTES}, [ENTRY]) == 0


def as_sent(text: str) -> bytes:
    """As an API server writes a text into JSON: no bytes of it may be HTML."""
    told = json.dumps(text, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        told = told.replace(character, f"\\u{ord(character):04x}")
    return told.encode()


@given(st.text() | st.text(alphabet='<>&"\\\u2028\u2029\n\x7f\xe9'))
def test_what_is_sent_is_counted_exactly(value: str) -> None:
    text = canonical({"name": value})
    assert count_sent(text) == len(as_sent(text.decode())) - len('""')


@pytest.mark.parametrize("character", "<>&")
def test_what_is_longer_when_sent_takes_more_room(character: str) -> None:
    entry = {"name": character * 1000}
    count = count_fitting({}, [entry] * 2000)
    assert 0 < count < count_fitting({}, [ENTRY] * 2000)
    sent = count_sent(canonical([entry] * count))
    assert MAX_SENT_BYTES - count_sent(canonical(entry)) - 2 <= sent <= MAX_SENT_BYTES
    assert fits([entry] * count)
    assert not fits([entry] * (count + 1))
    assert count_fitting({"base": character * (MAX_BYTES // 2)}, [{}]) == 0


def test_either_bound_is_one() -> None:
    assert fits("x" * (MAX_BYTES - 2))
    assert not fits("x" * (MAX_BYTES - 1))
    assert fits("<" * (MAX_SENT_BYTES // 6 - 1))
    assert not fits("<" * (MAX_SENT_BYTES // 6 + 1))
