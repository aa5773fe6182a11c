import pytest

from sidecar.policy.kind_scope import scope_of
from sidecar.policy.scopes import Scopes
from sidecar.policy.verdict import Denial, NeedScope
from tests.sidecar.policy.calls import call

CARS = call("GET", "/apis/example.com/v1/namespaces/a/cars")
NEED = NeedScope("east", "example.com", "v1", "cars", ("west", "home"))


def told(**clusters: dict[str, bool]) -> Scopes:
    scopes = Scopes()
    for cluster, kinds in clusters.items():
        scopes.learn(cluster, "example.com", "v1", kinds)
    return scopes


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (told(), NEED),
        (told(east={"cars": True}), True),
        (told(east={"cars": False}), False),
        # The member's own word counts, where it told.
        (told(east={"cars": False}, west={"cars": True}), False),
        # A stand-in's only where it narrows.
        (told(west={"cars": True}), True),
        (told(home={"cars": True}), True),
        (told(west={"cars": False}), NEED),
        (told(west={}), NEED),
    ],
)
def test_whose_word_counts(scopes: Scopes, expected: object) -> None:
    assert scope_of(scopes, CARS, ("east", "west", "home")) == expected


def test_a_kind_that_is_not_there() -> None:
    refused = scope_of(told(east={"bikes": True}), CARS, ("east",))
    assert isinstance(refused, Denial)
    assert refused.rule == "tenant/unknown-kind"
    assert "'east' serves no cars.example.com in version 'v1'" in refused.message
    scopes = Scopes()
    scopes.learn("home", "", "v1", {})
    refused = scope_of(scopes, call("GET", "/api/v1/cars"), ("home",))
    assert isinstance(refused, Denial)
    assert "serves no cars in version" in refused.message


def test_namespaces_need_not_be_looked_up() -> None:
    assert scope_of(Scopes(), call("GET", "/api/v1/namespaces/a"), ("home",)) is False
    other = call("GET", "/apis/example.com/v1/namespaces/a")
    assert isinstance(scope_of(Scopes(), other, ("home",)), NeedScope)
    within = call("GET", "/api/v1/namespaces/a/namespaces/b")
    assert isinstance(scope_of(Scopes(), within, ("home",)), NeedScope)


@pytest.mark.parametrize(
    ("group", "version"),
    [
        ("", ""),
        ("", "v2"),
        ("", "v1/namespaces/b/secrets"),
        ("", "v1?watch=1"),
        ("", "v1 HTTP/1.1"),
        ("", "V1"),
        ("..", "v1"),
        ("../api/v1/namespaces/b/secrets", "v1"),
        ("apps/v1", ""),
        ("Apps", "v1"),
        ("\u00fc", "v1"),
        ("apps", ".."),
        ("apps", "v1/x"),
        ("apps", "\u00fc"),
        ("apps\n", "v1"),
        ("apps", "v1\n"),
    ],
)
def test_nobody_is_asked_for_what_is_no_group_or_version(group: str, version: str) -> None:
    info = CARS._replace(group=group, version=version)
    refused = scope_of(Scopes(), info, ("home", "east"))
    assert isinstance(refused, Denial)
    assert refused.rule == "tenant/unknown-kind"
    assert refused.message.isprintable()


@pytest.mark.parametrize(("group", "version"), [("", "v1"), ("apps", "v1beta1"), ("x.io", "")])
def test_but_for_what_may_be_there(group: str, version: str) -> None:
    info = CARS._replace(group=group, version=version)
    assert scope_of(Scopes(), info, ("home",)) == NeedScope("home", group, version, "cars")
