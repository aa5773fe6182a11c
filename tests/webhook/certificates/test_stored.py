"""The Secret's form: what is written is read again, and what is nonsense counts for nothing."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from webhook.certificates.signing import Pair, make_authority
from webhook.certificates.stored import (
    NewerVersionError,
    Stored,
    describe_authority,
    parse_data,
    render_data,
)

NOW = 1_700_000_000.0
FIRST, SECOND = make_authority(NOW, 1000), make_authority(NOW + 5, 1000)


def make_data(document: Any) -> dict[str, str]:
    return {"authorities.json": base64.b64encode(json.dumps(document).encode()).decode()}


def make_entry(pair: Pair, **fields: Any) -> dict[str, Any]:
    return {"certificate": pair.certificate.pem, "key": pair.key_pem, **fields}


def make_document(*entries: Any, **fields: Any) -> dict[str, Any]:
    return {"version": 1, "authorities": list(entries), **fields}


def test_what_is_written_is_read_again() -> None:
    stored = Stored(leaving={"x": NOW}).add(FIRST).add(SECOND)
    first, second = stored.authorities
    stored = replace(stored, authorities=(first, replace(second, published=NOW + 7.25)))
    assert parse_data(render_data(stored)) == stored
    assert (first.made, first.not_before, first.not_after) == (NOW, NOW - 3600, NOW + 1000)


def test_some_are_kept() -> None:
    stored = Stored().add(FIRST).add(SECOND)
    kept = stored.select((SECOND.certificate.id, "none"))
    assert kept.authorities == (describe_authority(SECOND, None),)
    assert FIRST.key_pem not in base64.b64decode(render_data(kept)["authorities.json"]).decode()


def test_a_secret_as_it_was_installed() -> None:
    assert parse_data({}) == Stored()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"tls.crt": ""}, "it has no authorities.json"),
        ({"authorities.json": "§"}, "authorities.json is no JSON"),
        ({"authorities.json": base64.b64encode(b"\xff{").decode()}, "authorities.json is no JSON"),
        (make_data("x" + "["), "authorities.json is none of version 1"),
        (make_data([]), "authorities.json is none of version 1"),
        (make_data({"version": 0}), "authorities.json is none of version 1"),
        (make_data({"version": 1}), "authorities is no list"),
        (make_data(make_document("x")), "authorities[0]: it is not complete"),
        (make_data(make_document({})), "authorities[0]: it is not complete"),
        (
            make_data(make_document({"certificate": "x", "key": "y"})),
            "authorities[0]: the certificate is none in PEM, or cannot be read",
        ),
        (
            make_data(make_document(make_entry(FIRST, key=SECOND.key_pem))),
            "authorities[0]: the key is not the certificate's",
        ),
    ],
)
def test_nonsense_counts_for_nothing(data: dict[str, str], problem: str) -> None:
    assert parse_data(data) == Stored(problems=(problem,))


def test_what_a_later_release_wrote_is_not_for_this_one() -> None:
    with pytest.raises(NewerVersionError, match=r"^authorities\.json is of version 2, this is 1$"):
        parse_data(make_data({"version": 2, "authorities": "other"}))


def test_too_deep_to_be_read() -> None:
    deep = base64.b64encode(b"[" * 100_000).decode()
    assert parse_data({"authorities.json": deep}).problems == ("authorities.json is no JSON",)


def test_what_is_good_counts_beside_what_is_not() -> None:
    entries: tuple[Any, ...] = (
        make_entry(FIRST, published=NOW),
        {},
        make_entry(FIRST),
        make_entry(SECOND),
    )
    stored = parse_data(make_data(make_document(*entries)))
    assert stored.authorities == (describe_authority(FIRST, NOW), describe_authority(SECOND, None))
    assert stored.problems == ("authorities[1]: it is not complete",)


@pytest.mark.parametrize("raw", ["1", True, float("nan"), 1e300, [], None])
def test_times_that_are_none(raw: Any) -> None:
    document = make_document(make_entry(FIRST, published=raw), leaving={"x": raw, "y": 5})
    stored = parse_data(make_data(document))
    assert stored.authorities == (describe_authority(FIRST, None),)
    assert stored.leaving == {"y": 5.0}
    assert parse_data(make_data({**document, "leaving": raw})).leaving == {}


def test_no_repr_and_no_problem_shows_a_key() -> None:
    stored = Stored().add(FIRST)
    assert "PRIVATE" not in repr(stored)
    swapped = make_document({"certificate": FIRST.key_pem, "key": FIRST.certificate.pem})
    problems = parse_data(make_data(swapped)).problems
    assert problems
    assert "PRIVATE" not in repr(problems)
