import re
import time

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.globs import generated_matches, pattern_matches

TEXTS = st.text(alphabet="ab-\x00é", max_size=12)
PATTERNS = st.text(alphabet="ab-*", max_size=10)


@given(PATTERNS, TEXTS)
def test_a_star_is_any_text(pattern: str, text: str) -> None:
    oracle = ".*".join(map(re.escape, pattern.split("*")))
    expected = re.fullmatch(oracle, text, re.DOTALL) is not None
    assert pattern_matches(pattern, text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("ci-*", "ci-1", True),
        ("ci-*", "ci-", True),
        ("ci-*", "CI-1", False),
        ("ci-*", "ci", False),
        ("*-prod", "db-prod", True),
        ("a*a", "a", False),
        ("a*b*a", "aba", True),
        ("a*b*a", "aa", False),
        ("a*bc*c", "abc", False),
        ("[ab]*", "a1", False),
        ("", "", True),
        ("*", "", True),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert pattern_matches(pattern, text) is expected


def test_no_pattern_costs_more_than_its_length() -> None:
    pattern = "a*" * 8 + "b" + "a" * 200
    began = time.process_time()
    for _ in range(1000):
        assert not pattern_matches(pattern, "a" * 253)
    # 1 ms each would be a thousand times what it takes.
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("pattern", "base", "expected"),
    [
        ("ci-*", "ci-", True),
        ("ci-*", "ci-job-", True),
        ("*", "", True),
        ("*ci*", "my-ci-", True),
        ("ci-*", "cd-", False),
        # No vowel, no dash, no 0, 1 or 3 is ever generated.
        ("ci-*", "ci", False),
        ("ci-a*", "ci-", False),
        ("*-prod", "ci-", False),
        ("ci-", "ci-", False),
        ("ci-bcdfg", "ci-", None),
        ("ci-bcdfg1", "ci-", False),
        ("ci-bcdf1", "ci-", False),
        ("ci-b*", "ci-", None),
        ("*x", "ci-", None),
        ("c*x*", "ci-", None),
        ("ci-*-*-x", "ci-", False),
        # The server cuts the base to 58 letters.
        ("a" * 59 + "*", "a" * 59, False),
        ("a" * 58 + "*", "a" * 70, True),
        ("a" * 58 + "bcdfg", "a" * 70, None),
    ],
)
def test_names_that_are_not_yet_known(pattern: str, base: str, expected: bool | None) -> None:
    assert generated_matches(pattern, base) is expected


@given(
    st.text(alphabet="abx-*", max_size=8),
    st.text(alphabet="abx-", max_size=4),
    st.text(alphabet="bx2", min_size=5, max_size=5),
)
def test_what_is_told_of_a_generated_name_holds(pattern: str, base: str, end: str) -> None:
    told = generated_matches(pattern, base)
    assert told in (None, pattern_matches(pattern, base + end))
