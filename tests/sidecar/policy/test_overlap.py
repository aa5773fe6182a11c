import pytest
from hypothesis import given, strategies as st

from sidecar.policy.overlap import matches_any, meet_path, meet_resources, meet_words


@pytest.mark.parametrize(
    ("asked", "allowed", "met"),
    [
        (("get", "list"), ("list", "watch"), ("list",)),
        (("get",), ("list",), ()),
        (("*",), ("get", "list"), ("get", "list")),
        (("get", "use"), ("*",), ("get", "use")),
        (("*",), ("*",), ("*",)),
        (("",), ("apps",), ()),
    ],
)
def test_words(asked: tuple[str, ...], allowed: tuple[str, ...], met: tuple[str, ...]) -> None:
    assert meet_words(asked, allowed) == met


@pytest.mark.parametrize(
    ("asked", "allowed", "met"),
    [
        ("pods", ("pods",), ("pods",)),
        ("pods", ("services", "*"), ("pods",)),
        ("*", ("pods", "*/scale"), ("pods", "*/scale")),
        ("*", ("*",), ("*",)),
        ("pods/exec", ("pods",), ()),
        ("pods", ("pods/*", "*/scale"), ()),
        ("pods/exec", ("pods/*", "*/exec", "*"), ("pods/exec",)),
        ("pods/exec", ("pods/log", "nodes/*", "*/log"), ()),
        ("*/scale", ("deployments/*",), ("deployments/scale",)),
        ("*/scale", ("deployments/scale", "*/status"), ("deployments/scale",)),
        ("*/scale", ("*/scale",), ("*/scale",)),
    ],
)
def test_resources(asked: str, allowed: tuple[str, ...], met: tuple[str, ...]) -> None:
    assert meet_resources(asked, allowed) == met


@pytest.mark.parametrize(
    ("url", "pattern", "met", "doubtful"),
    [
        ("/metrics", "/metrics", "/metrics", False),
        ("/metrics", "/met*", "/metrics", False),
        ("/metrics", "/logs", "", False),
        # A star elsewhere than at the end is a star.
        ("/a*b", "/a*", "/a*b", False),
        ("/a*b", "/ab", "", False),
        ("*", "/logs", "/logs", False),
        ("*", "*", "*", False),
        ("/logs/*", "*", "/logs/*", False),
        ("/logs/*", "/logs/a*", "/logs/a*", False),
        ("/logs/*", "/logs", "", False),
        ("/logs/*", "/log*", "/logs/*", False),
        ("/logs/*", "/metrics*", "", False),
        ("/logs/*", "/l*s", "", True),
        ("/logs/*", "/logs/*/a", "", True),
    ],
)
def test_paths(url: str, pattern: str, met: str, doubtful: bool) -> None:
    assert meet_path(url, pattern) == (met, doubtful)


def test_any_of_several_patterns() -> None:
    assert matches_any(("a", "ci-*"), "ci-1")
    assert not matches_any(("a", "ci-*"), "b")
    assert not matches_any((), "b")


pieces = st.text("ab/*", max_size=5)


@given(pieces, pieces, st.text("ab/", max_size=6))
def test_what_both_match_the_meeting_matches(url: str, pattern: str, path: str) -> None:
    """As RBAC reads the first, and policy the second."""

    def rbac_matches(rule: str) -> bool:
        return path == rule or (rule.endswith("*") and path.startswith(rule[:-1]))

    met, doubtful = meet_path(url, pattern)
    both = rbac_matches(url) and matches_any((pattern,), path)
    assert doubtful or both == (bool(met) and rbac_matches(met)) or not path
