"""How much fits, counted exactly."""

from webhook.controller.compiling.fitting import MAX_BYTES, canonical, count_fitting

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
