import pytest

from sidecar.policy.fields import Check
from sidecar.policy.selector_lists import (
    ALL,
    CONTAINERS,
    GROUPS,
    METHODS,
    NAMES,
    NAMESPACES,
    PATHS,
    RESOURCES,
    SERVICE_ACCOUNTS,
    VERBS,
    Selector,
    read_lists,
)


@pytest.mark.parametrize(
    ("selector", "good"),
    [
        (VERBS, ["*", "get", "deletecollection"]),
        (METHODS, ["*", "get", "head", "post"]),
        (GROUPS, ["", "*", "apps", "rbac.authorization.k8s.io"]),
        (RESOURCES, ["*", "pods", "pods/exec", "pods/*", "*/scale", "http_requests", "s-1.x:y"]),
        (NAMESPACES, ["*", "team-a", "team-*", "*-*-*"]),
        (CONTAINERS, ["*", "app", "*-init"]),
        (SERVICE_ACCOUNTS, ["*", "ci.builder", "ci.*"]),
        (NAMES, ["*", "ci-*", "system:node:*", "Web", "a" * 253, "a*" * 8]),
        (PATHS, ["*", "/metrics", "/logs/*", "/a/*/b", "/debug/pprof/", "*/healthz"]),
    ],
)
def test_what_may_stand_in_a_list(selector: Selector, good: list[str]) -> None:
    check = Check()
    assert read_lists(check, {"key": good}, "p", {"key": selector}) == [tuple(good)]
    assert not check.errors


@pytest.mark.parametrize(
    ("selector", "bad"),
    [
        (VERBS, ["", "Get", "gte", "post", "get*", "impersonate", 1, None]),
        (METHODS, ["", "GET", "list", "options"]),
        (GROUPS, ["Apps", "*.example.com", "a..b", "a/b", "a" * 254]),
        (RESOURCES, ["", "Pods", "*/*", "pods/", "/exec", "pods/exec/x", "po*", "a" * 254]),
        (NAMESPACES, ["", "Team", "team.a", "a/b", "a*" * 9, "a" * 254]),
        (CONTAINERS, ["", "App", "a_b"]),
        (SERVICE_ACCOUNTS, ["", "A", "a:b"]),
        (NAMES, ["", "a/b", "a%2f", "a b", "é", "a\n", "a*" * 9, "a" * 254]),
        (PATHS, ["", "metrics", "/a b", "/é", "/a" + "*b" * 9, "/" + "a" * 253]),
    ],
)
def test_what_may_not(selector: Selector, bad: list[object]) -> None:
    for value in bad:
        check = Check()
        assert read_lists(check, {"key": ["*", value]}, "p", {"key": selector}) == [()]
        (error,) = check.errors
        assert error.startswith("p.key[1]: must be ")
        assert error.isprintable()


def test_lists_stand_in_order_and_may_be_left_out() -> None:
    check = Check()
    item: dict[str, object] = {"names": ["a"], "verbs": ["get"]}
    found = read_lists(check, item, "p", {"verbs": VERBS, "groups": GROUPS, "names": NAMES})
    assert found == [("get",), ALL, ("a",)]
    assert not check.errors


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], "p.verbs: is empty and matches nothing: name something, or * for everything"),
        ("get", "p.verbs: must be a list of 1 to 1000"),
        (None, "p.verbs: must be a list of 1 to 1000"),
        (["get"] * 1001, "p.verbs: must be a list of 1 to 1000"),
    ],
)
def test_lists_that_are_none(value: object, error: str) -> None:
    check = Check()
    assert read_lists(check, {"verbs": value}, "p", {"verbs": VERBS}) == [()]
    assert check.errors == [error]
