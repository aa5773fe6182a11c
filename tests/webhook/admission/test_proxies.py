"""NO_PROXY of containers that set a proxy."""

from typing import Any

import pytest

from webhook.admission.proxies import (
    DIRECT_BY_NAME,
    add_exceptions,
    find_warning,
    remove_exceptions,
)

OURS = "127.0.0.1,localhost,::1,kubernetes.default.svc"
PARTLY = "localhost, ::1,127.0.0.1,kubernetes.default.svc"
PROXY: dict[str, Any] = {"name": "https_proxy", "value": "http://proxy:3128"}


def variables(**texts: str) -> list[dict[str, Any]]:
    return [{"name": name, "value": text} for name, text in texts.items()]


@pytest.mark.parametrize(
    ("given", "upper", "lower"),
    [
        ({}, OURS, OURS),
        ({"NO_PROXY": ".corp"}, f".corp,{OURS}", f".corp,{OURS}"),
        ({"no_proxy": ".corp"}, f".corp,{OURS}", f".corp,{OURS}"),
        ({"NO_PROXY": ".a", "no_proxy": ""}, f".a,{OURS}", OURS),
        ({"NO_PROXY": "localhost, ::1"}, PARTLY, PARTLY),
        ({"NO_PROXY": "*", "no_proxy": OURS}, "*", OURS),
    ],
)
def test_exceptions(given: dict[str, str], upper: str, lower: str) -> None:
    env = [PROXY, *variables(**given)]
    added = add_exceptions(env)
    found = {item["name"]: item["value"] for item in added}
    assert (found["NO_PROXY"], found["no_proxy"]) == (upper, lower)
    assert add_exceptions(added) == added
    assert added[0] is PROXY


def test_what_is_left_alone() -> None:
    env = variables(NO_PROXY=".corp")
    assert add_exceptions(env) is env
    unknown = [PROXY, {"name": "NO_PROXY", "valueFrom": {"configMapKeyRef": {}}}]
    assert add_exceptions(unknown) is unknown


def test_a_long_list_is_left_alone() -> None:
    env = [PROXY, *variables(NO_PROXY="x" * 4097)]
    assert add_exceptions(env) is env
    told = find_warning({"name": "a", "env": env})
    assert "is longer than 4096 and is left alone" in told
    assert add_exceptions([PROXY, *variables(NO_PROXY="x" * 4096)])[1:] != []


def test_the_way_back() -> None:
    env = [PROXY, *variables(NO_PROXY=".corp")]
    assert remove_exceptions(add_exceptions([PROXY])) == [PROXY]
    assert remove_exceptions(add_exceptions(env)) == [*env, *variables(no_proxy=".corp")]
    assert remove_exceptions(env) == env


def test_capture_by_name_has_more_of_them() -> None:
    env = [PROXY, *variables(NO_PROXY=".corp", no_proxy=".corp")]
    added = add_exceptions(env, DIRECT_BY_NAME)
    more = f".corp,{OURS},kubernetes.default,kubernetes.default.svc.cluster.local"
    assert [item["value"] for item in added[1:]] == [more, more]
    assert add_exceptions(added, DIRECT_BY_NAME) == added
    assert remove_exceptions(added) == env
    told = find_warning({"name": "a", "envFrom": [{}]}, DIRECT_BY_NAME)
    assert told.endswith("kubernetes.default.svc.cluster.local")


def test_warnings() -> None:
    assert find_warning({"name": "a"}) == ""
    assert "if its envFrom sets a proxy" in find_warning({"name": "a", "envFrom": [{}]})
    known = {"name": "a", "envFrom": [{}], "env": variables(NO_PROXY="x")}
    assert find_warning(known) == ""
    unknown = {"name": "a", "env": [{"name": "no_proxy", "valueFrom": {}}]}
    assert "NO_PROXY comes by valueFrom" in find_warning(unknown)
