import copy
import json
import pickle
from collections.abc import Callable

import pytest

from sidecar.secret import Secret

WORD = b"s3cr3t-w0rd"


def test_nothing_shows_it() -> None:
    secret = Secret(WORD)
    for shown in (repr(secret), str(secret), f"{secret:>40}", f"{secret!r}", f"{[secret]}"):
        assert "Secret(hidden)" in shown
        assert WORD.decode() not in shown


@pytest.mark.parametrize(
    "leak",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, hash],
    ids=["pickle", "copy", "deepcopy", "json", "vars", "hash"],
)
def test_nothing_carries_it_away(leak: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leak(Secret(WORD))
    assert WORD.decode() not in str(caught.value)


def test_it_is_there_for_whoever_asks() -> None:
    assert Secret(WORD).reveal() == WORD


def test_equality_is_that_of_the_bytes_and_only_among_secrets() -> None:
    assert Secret(WORD) == Secret(bytes(WORD))
    assert Secret(WORD) != Secret(WORD + b"x")
    assert Secret(WORD) != WORD


def test_an_empty_one_is_false() -> None:
    assert not Secret(b"")
    assert Secret(WORD)
