import pytest
from hypothesis import given, strategies as st

from sidecar.versions import (
    ForeignVersion,
    member_codes,
    strip_continue,
    strip_version,
    tag,
    tag_continue,
    untag,
    untag_continue,
    untag_line,
)

versions = st.integers(min_value=1, max_value=2**70).map(str)
codes = st.integers(min_value=1000, max_value=9999)


@given(versions, codes)
def test_a_tag_comes_off_again(version: str, code: int) -> None:
    assert untag(tag(version, code)) == (version, code)
    assert strip_version(tag(version, code), code) == version


@given(versions, versions, codes)
def test_versions_of_one_cluster_keep_their_order(one: str, other: str, code: int) -> None:
    """apimachinery's CompareResourceVersion: by length, then by text; it refuses a leading zero."""
    tagged = [tag(version, code) for version in (one, other)]
    assert not any(version.startswith("0") for version in tagged)
    lengths_and_texts = [(len(version), version) for version in tagged]
    assert (lengths_and_texts[0] < lengths_and_texts[1]) == (int(one) < int(other))


@pytest.mark.parametrize("version", ["", "0"])
def test_none_and_any_are_the_same_everywhere(version: str) -> None:
    assert tag(version, 7421) == version
    assert strip_version(version, 7421) == version


@pytest.mark.parametrize("version", ["007", "-1", "1.5", "abc", " 1", "1\n", "\u0661"])
def test_only_decimal_integers_can_be_tagged(version: str) -> None:
    with pytest.raises(ValueError, match="no decimal integer"):
        tag(version, 7421)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("57421", ("5", 7421)),
        ("7421", None),  # a code without a version
        ("50421", None),  # no code begins with a zero
        ("057421", None),
        ("5x7421", None),
        ("57421\n", None),
        ("", None),
        ("0", None),
    ],
)
def test_what_is_a_tagged_version(text: str, expected: tuple[str, int] | None) -> None:
    assert untag(text) == expected


@pytest.mark.parametrize(("text", "code"), [("58123", 8123), ("5", None), ("abc", None)])
def test_a_version_of_another_cluster_is_told_from_ours(text: str, code: int | None) -> None:
    with pytest.raises(ForeignVersion) as caught:
        strip_version(text, 7421)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "token", ['x"}', "a b", "a\n", "a\\", "\u1234", "a.b", "a" * 8193, "<", "a&b"]
)
def test_a_continue_token_that_could_end_its_quotes_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="continue token"):
        tag_continue(token, 7421)


def test_continue_tokens() -> None:
    token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEi_-"
    assert untag_continue(tag_continue(token, 7421)) == (token, 7421)
    assert strip_continue(tag_continue(token, 7421), 7421) == token
    assert tag_continue("", 7421) == strip_continue("", 7421) == ""


@pytest.mark.parametrize(
    ("text", "code"), [("8123.abc", 8123), ("abc", None), ("7421.", None), ("0421.abc", None)]
)
def test_a_continue_token_of_another_cluster(text: str, code: int | None) -> None:
    with pytest.raises(ForeignVersion) as caught:
        strip_continue(text, 7421)
    assert caught.value.code == code


@given(st.text(), st.lists(st.text(), max_size=20))
def test_codes_are_unique_in_a_route_and_do_not_depend_on_order(
    route: str, clusters: list[str]
) -> None:
    found = member_codes(route, clusters)
    assert found.keys() == set(clusters)
    assert len(set(found.values())) == len(found)
    assert all(1000 <= code <= 9999 for code in found.values())
    assert member_codes(route, reversed(clusters)) == found


def test_codes_are_the_same_in_every_sidecar() -> None:
    """Written down: a change would make each client list again after an update."""
    assert member_codes("builds", ["eu-1", "us-1"]) == {"eu-1": 1276, "us-1": 6609}


def test_codes_that_collide_are_told_apart() -> None:
    clusters = [f"cluster-{number}" for number in range(500)]
    assert len(set(member_codes("builds", clusters).values())) == 500


LINE = b"GET /api/v1/pods?%s HTTP/1.1"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"watch=true&resourceVersion=57421&limit=5", b"watch=true&resourceVersion=5&limit=5"),
        (b"resourceVersio%6e=5742%31", b"resourceVersio%6e=5"),
        (b"continue=7421.ab_-&limit=5", b"continue=ab_-&limit=5"),
        (b"continue=7421.a%2Bb%3D", b"continue=a%2Bb%3D"),
        (b"resourceVersion=0&continue=", b"resourceVersion=0&continue="),
        (b"resourceVersion=", b"resourceVersion="),
        (b"resourceVersion", b"resourceVersion"),
        (b"labelSelector=resourceVersion%3D58123", b"labelSelector=resourceVersion%3D58123"),
        (b"resourceVersionMatch=Exact&a%zz=%&&", b"resourceVersionMatch=Exact&a%zz=%&&"),
    ],
)
def test_request_lines_go_up_with_the_members_own_versions(query: bytes, expected: bytes) -> None:
    assert untag_line(LINE % query, 7421) == LINE % expected


def test_a_line_without_a_query_is_left_as_it_is() -> None:
    assert untag_line(b"GET /api/v1/pods HTTP/1.1", 7421) == b"GET /api/v1/pods HTTP/1.1"


@pytest.mark.parametrize(
    "query",
    [b"resourceVersion=58123", b"resourceVersion=5", b"resourceVersion=+57421", b"continue=abc",
     b"resourceVersion=57421%00", b"continue=8123.abc", b"resourceVersion=%C3%BC"],
)  # fmt: skip
def test_a_line_with_a_foreign_version_is_told(query: bytes) -> None:
    with pytest.raises(ForeignVersion):
        untag_line(LINE % query, 7421)
